"""What can be done with sessions: start, refresh, end."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any, NoReturn, cast

from sqlalchemy import ColumnElement, Select, delete, func, select, update

from project import opaque
from project.db import db, fetch, note, save, sweep
from project.errors import Conflict, Unauthorized
from project.sessions.models import RefreshToken, Session

LIFETIME = timedelta(days=30)  # since the last refresh
LEEWAY = timedelta(seconds=10)  # a used token within it is a race, after it a theft
PORTION = 1000  # sessions swept at once, with all their tokens

SORTABLE: dict[str, Any] = {"id": Session.id, "created_at": Session.created_at}


class InvalidRefreshToken(Unauthorized):
    """One sentence for unknown, expired and ended."""

    code = "invalid_refresh_token"
    sentence = "The refresh token is not valid; sign in again."


class Reused(InvalidRefreshToken):
    """A used refresh token came again: its session is over, and stays so."""

    keeps = True


class RefreshRaced(Conflict):
    """Somebody used the token a moment ago, most likely the same client."""

    code = "refresh_raced"
    sentence = "The refresh token was used a moment ago; go on with the pair it was answered."


def of_user(user_id: int, current: int | None = None) -> Select[Any]:
    """The sessions of a user, and of each whether it is the current one."""
    is_current = (Session.id == current).label("is_current")
    mine = (Session.user_id == user_id, Session.expires_at > func.now())
    return cast("Select[Any]", select(Session, is_current).where(*mine))


def start(user_id: int, user_agent: str, address: str) -> tuple[Session, str]:
    """A new session and its refresh token."""
    expires_at = func.now() + LIFETIME
    session = save(
        Session(user_id=user_id, user_agent=user_agent, address=address, expires_at=expires_at)
    )
    note("session.started", session_id=session.id, user_id=user_id)
    return session, _new_token(session)


def refresh(token: str) -> tuple[Session, str]:
    """Replace a refresh token, which counts once; raises Unauthorized or Conflict.

    A token that comes again within the leeway is an honest client's race: nothing changes. Later
    it is in two hands, and its session ends (RFC 9700 section 4.14.2). The session is locked
    first, as who ends it does, so that the two cannot wait for each other.
    """
    hashed = opaque.hashed(token)
    known = select(Session).join(RefreshToken, RefreshToken.session_id == Session.id)
    known = known.where(RefreshToken.hash == hashed, Session.expires_at > func.now())
    session = db.session.scalar(known.with_for_update(of=Session))
    if session is None:
        raise InvalidRefreshToken
    used = update(RefreshToken).where(RefreshToken.hash == hashed, RefreshToken.used_at.is_(None))
    used = used.values(used_at=func.clock_timestamp())
    if db.session.scalar(used.returning(RefreshToken.hash)) is None:
        _refuse_reuse(session, hashed)
    longer = {"refreshed_at": func.now(), "expires_at": func.now() + LIFETIME}
    db.session.execute(update(Session).where(Session.id == session.id).values(longer))
    forgotten = RefreshToken.used_at < func.now() - LIFETIME
    db.session.execute(delete(RefreshToken).where(RefreshToken.session_id == session.id, forgotten))
    return session, _new_token(session)


def end(id: int, user_id: int) -> None:
    """End a session of this user; raises NotFound."""
    fetch(Session, id, among=of_user(user_id))
    _end(Session.id == id)


def leave(id: int) -> None:
    """End the session one is in; it may have ended a moment ago."""
    _end(Session.id == id)


def end_all(user_ids: Collection[int], *, but: int | None = None) -> int:
    """End every session of these users, but perhaps one; how many there were."""
    return _end(Session.user_id.in_(user_ids), Session.id.is_distinct_from(but))


def sweep_expired() -> bool:
    """Forget a portion of the sessions that have expired, and say whether there may be more."""
    return sweep(Session.id, Session.expires_at, PORTION) == PORTION


def _end(*which: ColumnElement[bool]) -> int:
    ended = delete(Session).where(*which).returning(Session.id, Session.user_id)
    rows = db.session.execute(ended).all()
    for id, user_id in rows:
        note("session.ended", session_id=id, user_id=user_id)
    return len(rows)


def _refuse_reuse(session: Session, hashed: bytes) -> NoReturn:
    age = func.clock_timestamp() - RefreshToken.used_at
    if db.session.scalar(select(age < LEEWAY).where(RefreshToken.hash == hashed)):
        raise RefreshRaced
    note("session.token_reused", session_id=session.id, user_id=session.user_id)
    _end(Session.id == session.id)
    raise Reused


def _new_token(session: Session) -> str:
    token = opaque.new()
    save(RefreshToken(hash=opaque.hashed(token), session_id=session.id))
    return token
