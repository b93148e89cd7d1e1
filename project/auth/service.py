"""Registering, signing in, and replacing lost passwords."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from project import origin
from project.db import db
from project.errors import Forbidden, Unauthorized
from project.jobs import enqueue
from project.sessions import service as sessions
from project.sessions.models import Session
from project.users import acting, credentials, passwords
from project.users import service as users
from project.users.models import User


class WrongCredentials(Unauthorized):
    """One sentence for unknown, inactive and mistyped."""

    code = "wrong_credentials"
    sentence = "Wrong user name, e-mail or password."


class RegistrationClosed(Forbidden):
    """Accounts are made by superusers here."""

    code = "registration_closed"
    sentence = "Registration is closed; ask a superuser."


def signed_in(user_id: int, session_id: int) -> User | None:
    """The active user whose session is still there: the one question of every guarded request."""
    return db.session.scalar(select(User).where(acting.signed_in(user_id, session_id)))


def tries_key(login: str) -> str:
    """What tries of this login are counted for: the account, whichever of its names was typed."""
    user = users.by_login(login)
    return f"login {login}" if user is None else f"id {user.id}"


def register(values: dict[str, Any], *, is_open: bool) -> User:
    """Make an account for oneself; raises RegistrationClosed."""
    if not is_open:
        raise RegistrationClosed
    return users.admit(values)


def authenticate(login: str, password: str) -> User:
    """The active user with these credentials, held to the end; raises WrongCredentials.

    One sentence and one effort for every no.
    """
    user = users.by_login(login)
    hashed = user.hashed_password if user is not None and user.is_active else None
    if not passwords.matches(hashed, password) or user is None:
        raise WrongCredentials
    held = credentials.confirm(user, password)
    if held is None:
        raise WrongCredentials
    return held


def sign_in(login: str, password: str, *, user_agent: str, address: str) -> tuple[Session, str]:
    """A new session and its refresh token; raises WrongCredentials."""
    user = authenticate(login, password)
    return sessions.start(user.id, user_agent, address)


def refresh(token: str) -> tuple[Session, str]:
    """Go on with a session; raises Unauthorized or Conflict."""
    session, new = sessions.refresh(token)
    if users.active(session.user_id) is None:
        raise sessions.InvalidRefreshToken
    return session, new


def forgot(email: str) -> None:
    """Have a token mailed to this address, if an active user has it; the worker looks.

    Nobody may ask how that job went: its time would tell whether there was a mail.
    """
    with origin.nobody():
        enqueue("auth.send_reset", email=email)
