"""Passwords changed, lost and outdated; and what a change of hands ends."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import delete, func, select, update

from project.db import announce, db, revise, save
from project.errors import Refused
from project.sessions import service as sessions
from project.users import passwords
from project.users.models import PasswordReset, User

LIFETIME = timedelta(hours=1)  # of a token that replaces a lost password


def change(user: User, current: str, password: str, *, session_id: int) -> None:
    """Give oneself a new password; every other session ends. Raises Refused."""
    if not passwords.matches(user.hashed_password, current):
        raise wrong_password()
    revise(User, user.id, {"hashed_password": passwords.hash(password)})
    revoke([user.id], but=session_id)
    announce("user.password_changed", user_id=user.id)


def renew_hash(user: User, password: str) -> None:
    """Hash a password that was right once more, if its hash is of weaker make than today's."""
    outdated = user.hashed_password
    if passwords.is_outdated(outdated):
        same = update(User).where(User.id == user.id, User.hashed_password == outdated)
        db.session.execute(same.values(hashed_password=passwords.hash(password)))


def begin_reset(email: str) -> tuple[User | None, str]:
    """A token for whoever reads the mail of this address, and the active user who has it.

    The same statements and the same writing whether or not there is one: time tells nobody.
    """
    db.session.execute(delete(PasswordReset).where(PasswordReset.expires_at <= func.now()))
    token = secrets.token_urlsafe(32)
    owner = db.session.scalar(select(User).where(User.email == email, User.is_active))
    user_id, expires_at = owner and owner.id, func.now() + LIFETIME
    save(PasswordReset(hash=_hash(token), user_id=user_id, expires_at=expires_at))
    return owner, token


def reset(token: str, password: str) -> None:
    """Replace a lost password; the token counts once, in one hour. Every session ends."""
    used = delete(PasswordReset).where(
        PasswordReset.hash == _hash(token), PasswordReset.expires_at > func.now()
    )
    user_id = db.session.scalar(used.returning(PasswordReset.user_id))
    if user_id is None:
        raise wrong_reset()
    revise(User, user_id, {"hashed_password": passwords.hash(password)})
    revoke([user_id])
    announce("user.password_changed", user_id=user_id)


def revoke(ids: Collection[int], *, but: int | None = None) -> None:
    """End these users' sessions, perhaps one not, and forget tokens that were mailed to them."""
    sessions.end_all(ids, but=but)
    forget_resets(ids)


def forget_resets(ids: Collection[int]) -> None:
    """What was mailed to an address before is worth nothing now."""
    db.session.execute(delete(PasswordReset).where(PasswordReset.user_id.in_(ids)))


def wrong_password() -> Refused:
    """Who has the session may still not have the password."""
    return Refused("The current password is wrong.", code="wrong_password")


def wrong_reset() -> Refused:
    """One sentence for unknown, used and too old."""
    sentence = "The token is not valid, was used, or is older than an hour; ask for another."
    return Refused(sentence, code="invalid_reset_token")


def _hash(token: str) -> bytes:
    """The token has 256 random bits, so one round of SHA-256 hides it for good."""
    return hashlib.sha256(token.encode()).digest()
