"""Who acts, as part of a statement that writes: no second question, and nothing in between."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, String, and_, bindparam, select

from project import origin
from project.sessions.models import Session
from project.users.models import User


def signed_in(user_id: Any, session_id: Any) -> ColumnElement[bool]:
    """The active user whose session is still there: what every guarded request depends on."""
    return and_(
        User.id == user_id,
        User.is_active,
        Session.user_id == User.id,
        Session.id == session_id,
    )


def actor(claimed: bool) -> CTE:
    """Who acts, with `id` and `name`: of a claim that is not true there is no row."""
    if claimed:
        theirs = signed_in(bindparam("user_id"), bindparam("session_id"))
        return select(User.id, User.username.label("name")).where(theirs).cte("actor")
    id, name = bindparam("actor_id", type_=BigInteger), bindparam("actor_name", type_=String)
    return select(id.label("id"), name.label("name")).cte("actor")


def values() -> dict[str, Any]:
    """Of the parameters of a statement with an actor."""
    if (claim := origin.claimed()) is not None:
        who: dict[str, Any] = {"user_id": claim.user_id, "session_id": claim.session_id}
    else:
        source = origin.current()
        who = {"actor_id": source.actor_id, "actor_name": source.actor_name}
    return {"request_id": origin.request_id(), **who}


def confirmed(name: str) -> None:
    """A statement has found its actor, who has this name: what was claimed is true."""
    if (claim := origin.claimed()) is not None:
        origin.act(claim.user_id, name)
