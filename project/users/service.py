"""What can be done with users."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from project.db import INT8, announce, announced, db, fetch, matching, remove, revise, save, told
from project.db import count as count_rows
from project.errors import Conflict, OnlySuperusers
from project.jobs import enqueue
from project.users import credentials, passwords
from project.users.models import User


class OwnAccount(Conflict):
    """Nobody locks oneself out, and nobody gets round the question for the current password."""

    code = "own_account"
    sentence = (
        "This is your own account; another superuser may do this. "
        "Change your own password with POST /api/v1/users/me/password."
    )


class LastSuperuser(Conflict):
    """Without a superuser nobody could make the next."""

    code = "last_superuser"
    sentence = "This is the last active superuser; make another first."


LEAVING: list[tuple[InstrumentedAttribute[int], str]] = []

SORTABLE: dict[str, Any] = {
    "id": User.id,
    "username": User.username,
    "email": User.email,
    "created_at": User.created_at,
    "updated_at": User.updated_at,
}


def search(q: str | None = None, is_active: bool | None = None) -> Select[User]:
    """The users that answer the question; `q` is part of a name or an address, in any case."""
    found = select(User)
    if q is not None:
        found = found.where(matching(q, User.username, User.email, User.full_name))
    if is_active is not None:
        found = found.where(User.is_active == is_active)
    return found


def count(is_active: bool | None = None) -> int:
    """How many users there are, or active ones, or others."""
    return count_rows(search(is_active=is_active))


def get(id: int) -> User:
    """A user, active or not."""
    return fetch(User, id)


def active(id: int) -> User | None:
    """The user with this id, unless gone or deactivated."""
    return db.session.scalar(select(User).where(User.id == id, User.is_active))


def by_login(login: str) -> User | None:
    """The user of this name or e-mail address, in any case."""
    given = login.lower()
    return db.session.scalar(select(User).where(or_(User.username == given, User.email == given)))


def any_exist() -> bool:
    """Whether anybody has an account yet."""
    return db.session.scalar(select(User.id).limit(1)) is not None


def create(values: dict[str, Any]) -> User:
    """Make an account; the rules of its names speak at the insert."""
    user = save(User(**_hashed(values)))
    announce("user.created", user_id=user.id)
    return user


def admit(values: dict[str, Any]) -> User:
    """Make an account, and welcome its owner by mail."""
    user = create(values)
    enqueue("users.welcome", user_id=user.id)
    return user


def update(
    id: int, values: dict[str, Any], versions: Collection[int] | None = None, *, by: User | None
) -> User:
    """Change the fields sent; a new password, and deactivation, end every session.

    by: who changes it, None from a terminal.
    """
    if by is not None and by.id == id and "password" in values:
        raise OwnAccount
    stored = _hashed(values)  # before anything is locked: it takes its time
    rights = {name: values[name] for name in ("is_active", "is_superuser") if name in values}
    if rights:
        _hold([id], by=by, losing=not all(rights.values()))
    deactivated = rights.get("is_active") is False
    user = revise(User, id, stored, versions)
    if "password" in values or deactivated:
        credentials.revoke([id])
    elif "email" in values:
        credentials.forget_resets([id])
    announce("user.updated", user_id=id, fields=sorted(values), version=user.version)
    if "password" in values:
        credentials.tell(user)
    return user


def leaving(owner: InstrumentedAttribute[int], what: str) -> None:
    """Rows whose `owner` is a user go with the user: each is announced, `what` it is.

    Rooms above say so, who know what the database deletes.
    """
    LEAVING.append((owner, what))


def delete(id: int, versions: Collection[int] | None = None, *, by: User) -> None:
    """Delete an account for good; the database deletes all that belongs to it."""
    _hold([id], by=by, losing=True)
    db.session.refresh(fetch(User, id), with_for_update=True)  # so that nothing more joins it
    for owner, what in LEAVING:
        gone = select(owner.class_.id).where(owner == id).subquery("gone")
        db.session.execute(announced(told(f"{what}.deleted", {f"{what}_id": gone.c.id})))
    remove(User, id, versions)
    announce("user.deleted", user_id=id)


def set_status(ids: Collection[int], is_active: bool, *, by: User) -> dict[str, Any]:
    """Activate or deactivate accounts, in a constant number of statements.

    Answers how many have the status now, and which are not there.
    """
    found = _hold(ids, by=by, losing=not is_active)
    changed = sa.update(User).where(User.id.in_(found), User.is_active != is_active)
    new = {"is_active": is_active, "version": User.version + 1, "updated_at": func.now()}
    for id, version in db.session.execute(changed.values(new).returning(User.id, User.version)):
        announce("user.updated", user_id=id, fields=["is_active"], version=version)
    if not is_active:
        credentials.revoke(found)
    return {"updated": len(found), "not_found": [id for id in ids if id not in found]}


def _hold(ids: Collection[int], *, by: User | None, losing: bool) -> set[int]:
    """Lock these accounts in the order of their ids; those that are there.

    `by` gives and takes rights, so must still have some: what waits here behind one's own demotion
    must not undo it. Nobody takes away one's own rights, nor those of the last superuser: whoever
    takes locks all superusers, or two at once could each leave the other as the last.
    """
    if losing and by is not None and by.id in ids:
        raise OwnAccount
    superuser = and_(User.is_superuser, User.is_active)
    named = {id for id in ids if id <= INT8} | ({by.id} if by is not None else set())
    held = or_(User.id.in_(named), superuser) if losing else User.id.in_(named)
    locked = select(User.id, superuser).where(held).order_by(User.id)
    rows = db.session.execute(locked.with_for_update(key_share=True)).all()
    superusers = {id for id, is_superuser in rows if is_superuser}
    if losing and superusers and superusers <= set(ids):
        raise LastSuperuser
    if by is not None and by.id not in superusers:
        raise OnlySuperusers
    return {id for id, _ in rows} & set(ids)


def _hashed(values: dict[str, Any]) -> dict[str, Any]:
    """The values as they are stored."""
    if "password" not in values:
        return values
    kept = {name: value for name, value in values.items() if name != "password"}
    return {**kept, "hashed_password": passwords.hash(values["password"])}
