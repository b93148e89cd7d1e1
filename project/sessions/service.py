"""What can be done with sessions: start, refresh, end."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, select, update

from project.db import announce, db, save
from project.errors import Conflict, NotFound, Unauthorized
from project.sessions.models import RefreshToken, Session

LIFETIME = timedelta(days=30)  # since the last refresh
LEEWAY = timedelta(seconds=10)  # in which a used token is a race, and later a theft

SORTABLE: dict[str, Any] = {"id": Session.id, "created_at": Session.created_at}


class Reused(Unauthorized):
    """A used refresh token came again: its session is over, and stays so."""

    keeps = True


def of_user(user_id: int) -> Select[Session]:
    """The sessions of a user."""
    return select(Session).where(Session.user_id == user_id, Session.expires_at > func.now())


def start(user_id: int, user_agent: str, address: str) -> tuple[Session, str]:
    """A new session and its refresh token; the user's expired ones are swept away."""
    db.session.execute(
        delete(Session).where(Session.user_id == user_id, Session.expires_at <= func.now())
    )
    expires_at = func.now() + LIFETIME
    session = save(
        Session(user_id=user_id, user_agent=user_agent, address=address, expires_at=expires_at)
    )
    announce("session.started", session_id=session.id, user_id=user_id)
    return session, _new_token(session)


def refresh(token: str) -> tuple[Session, str]:
    """Replace a refresh token, which counts once; raises Unauthorized or Conflict.

    A token that comes again within the leeway is an honest client's race: nothing changes. Later
    it is in two hands, and its session ends (RFC 9700 section 4.14.2). The session is locked
    first, as who ends it does, so that the two cannot wait for each other.
    """
    hashed = _hash(token)
    known = select(Session).join(RefreshToken, RefreshToken.session_id == Session.id)
    known = known.where(RefreshToken.hash == hashed, Session.expires_at > func.now())
    session = db.session.scalar(known.with_for_update(of=Session))
    if session is None:
        raise unknown_token()
    used = update(RefreshToken).where(RefreshToken.hash == hashed, RefreshToken.used_at.is_(None))
    used = used.values(used_at=func.clock_timestamp())
    if db.session.scalar(used.returning(RefreshToken.hash)) is None:
        raise _used_before(session, hashed)
    longer = {"refreshed_at": func.now(), "expires_at": func.now() + LIFETIME}
    db.session.execute(update(Session).where(Session.id == session.id).values(longer))
    return session, _new_token(session)


def end(id: int, user_id: int) -> None:
    """End a session of this user; raises NotFound."""
    if not _end(Session.id == id, Session.user_id == user_id):
        raise NotFound(f"Session with id {id} not found")


def leave(id: int) -> None:
    """End the session one is in; that it ended a moment ago is as well."""
    _end(Session.id == id)


def end_all(user_ids: Collection[int], *, but: int | None = None) -> int:
    """End every session of these users, but perhaps one; how many there were."""
    return _end(Session.user_id.in_(user_ids), Session.id.is_distinct_from(but))


def unknown_token() -> Unauthorized:
    """One sentence for unknown, expired and ended."""
    return Unauthorized("The refresh token is not valid; sign in again.", code="invalid_refresh")


def raced() -> Conflict:
    """Somebody used the token a moment ago, most likely the same client."""
    sentence = "The refresh token was used a moment ago; go on with the pair it was answered."
    return Conflict(sentence, code="refresh_raced")


def _end(*which: ColumnElement[bool]) -> int:
    ended = delete(Session).where(*which).returning(Session.id, Session.user_id)
    rows = db.session.execute(ended).all()
    for id, user_id in rows:
        announce("session.ended", session_id=id, user_id=user_id)
    return len(rows)


def _used_before(session: Session, hashed: bytes) -> Conflict | Unauthorized:
    age = func.clock_timestamp() - RefreshToken.used_at
    if db.session.scalar(select(age < LEEWAY).where(RefreshToken.hash == hashed)):
        return raced()
    announce("session.token_reused", session_id=session.id, user_id=session.user_id)
    leave(session.id)
    return Reused(unknown_token().sentence, code=unknown_token().code)


def _new_token(session: Session) -> str:
    token = secrets.token_urlsafe(32)
    save(RefreshToken(hash=_hash(token), session_id=session.id))
    return token


def _hash(token: str) -> bytes:
    """The token has 256 random bits, so one round of SHA-256 hides it for good."""
    return hashlib.sha256(token.encode()).digest()
