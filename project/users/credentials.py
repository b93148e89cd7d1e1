"""Changing, losing and renewing passwords, and the sessions that end with them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, delete, func, select, update

from project import opaque
from project.db import announce, db, revise, revise_if, save, sweep
from project.errors import Refused
from project.jobs import enqueue
from project.sessions import service as sessions
from project.users import passwords
from project.users.models import PasswordReset, User

LIFETIME = timedelta(hours=1)  # of a token that replaces a lost password
PORTION = 10_000  # tokens swept at once


class WrongPassword(Refused):
    """Who has the session may still not have the password."""

    code = "wrong_password"
    sentence = "The current password is wrong."


class InvalidResetToken(Refused):
    """One sentence for unknown, used and too old."""

    code = "invalid_reset_token"
    sentence = "The token is not valid, was used, or is older than an hour; ask for another."


def hold(*conditions: ColumnElement[bool]) -> User | None:
    """Lock an active user as he is now, until the end; None if the conditions no longer hold.

    Comparing a password takes long enough for somebody else to change it. Whoever then acts on the
    result holds the user first, and sessions and tokens after: one order, so no deadlocks.
    """
    held = select(User).where(User.is_active, *conditions).with_for_update(key_share=True)
    return db.session.scalar(held.execution_options(populate_existing=True))


def confirm(user: User, password: str) -> User | None:
    """Lock the user if this is the password still; a hash of another make is renewed."""
    verified = user.hashed_password
    renewed = passwords.hash(password) if passwords.is_outdated(verified) else None
    held = hold(User.id == user.id)
    if held is None:
        return None
    if held.hashed_password != verified:  # perhaps only renewed
        return held if passwords.matches(held.hashed_password, password) else None
    if renewed is not None:
        same = update(User).where(User.id == user.id)
        db.session.execute(same.values(hashed_password=renewed))
    return held


def change(user: User, current: str, password: str, *, session_id: int) -> None:
    """Give oneself a new password; every other session ends. Raises WrongPassword."""
    if not passwords.matches(user.hashed_password, current):
        raise WrongPassword
    same = and_(User.is_active, User.hashed_password == user.hashed_password)
    changed = revise_if(same, User, user.id, {"hashed_password": passwords.hash(password)})
    if changed is None:
        raise WrongPassword
    revoke([user.id], but=session_id)
    announce("user.password_changed", user_id=user.id)
    tell(changed)


def begin_reset(email: str) -> tuple[User, str] | None:
    """The active user who has this address, and a token for whoever reads the mail there."""
    owner = hold(User.email == email)
    if owner is None:
        return None
    token, expires_at = opaque.new(), func.now() + LIFETIME
    save(PasswordReset(hash=opaque.hashed(token), user_id=owner.id, expires_at=expires_at))
    return owner, token


def abandon_reset(token: str) -> None:
    """Forget a token that did not reach anybody."""
    unknown = PasswordReset.hash == opaque.hashed(token)
    db.session.execute(delete(PasswordReset).where(unknown))


def reset(token: str, password: str) -> None:
    """Replace a lost password; the token counts once, in one hour. Every session ends."""
    named = PasswordReset.hash == opaque.hashed(token), PasswordReset.expires_at > func.now()
    user_id = db.session.scalar(select(PasswordReset.user_id).where(*named))
    if user_id is None:
        raise InvalidResetToken
    new = {"hashed_password": passwords.hash(password)}
    used = delete(PasswordReset).where(*named).returning(PasswordReset.user_id)
    if hold(User.id == user_id) is None or db.session.scalar(used) is None:
        raise InvalidResetToken
    changed = revise(User, user_id, new)
    revoke([user_id])
    announce("user.password_changed", user_id=user_id)
    tell(changed)


def tell(user: User) -> None:
    """Have a mail say that the password was changed just now, whoever did it: it may be a theft."""
    enqueue("users.tell_of_new_password", user_id=user.id, at=user.updated_at.isoformat())


def revoke(ids: Collection[int], *, but: int | None = None) -> None:
    """End these users' sessions, perhaps one not, and forget tokens that were mailed to them."""
    sessions.end_all(ids, but=but)
    forget_resets(ids)


def forget_resets(ids: Collection[int]) -> None:
    """What was mailed to an address before is worth nothing now."""
    db.session.execute(delete(PasswordReset).where(PasswordReset.user_id.in_(ids)))


def sweep_resets() -> bool:
    """Forget a portion of the tokens that have expired, and say whether there may be more."""
    return sweep(PasswordReset.hash, PasswordReset.expires_at, PORTION) == PORTION
