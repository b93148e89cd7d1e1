"""Registering, signing in, and replacing lost passwords."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from project import mail
from project.db import db
from project.errors import Forbidden, Unauthorized
from project.sessions import service as sessions
from project.sessions.models import Session
from project.users import credentials, passwords
from project.users import service as users
from project.users.models import User

RESET = """\
Somebody, hopefully you, asked for a new password for the account
{username}.

{way}

This works once, within the next hour. If it was not you, do nothing:
your password stays as it is.
"""
BY_PAGE = "Choose it here:\n\n{url}"
BY_CALL = """\
Send it with this token to POST /api/v1/auth/password/reset:

{{"token": "{token}", "password": "..."}}"""


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
    theirs = (User.id == user_id, Session.id == session_id, User.is_active)
    return db.session.scalar(select(User).join(Session, Session.user_id == User.id).where(*theirs))


def tries_key(login: str) -> str:
    """What tries of this login are counted for: the account, whichever of its names was typed."""
    user = users.by_login(login)
    return f"login {login}" if user is None else f"id {user.id}"


def register(values: dict[str, Any], *, is_open: bool) -> User:
    """Make an account for oneself; raises RegistrationClosed."""
    if not is_open:
        raise RegistrationClosed
    return users.create(values)


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


def forgot(email: str, page: str) -> None:
    """Mail a token to this address, if an active user has it; `page` is where it can be used."""
    user, token = credentials.begin_reset(email)
    if user is not None:
        url = page.replace("{token}", token)
        way = BY_PAGE.format(url=url) if page else BY_CALL.format(token=token)
        text = RESET.format(username=user.username, way=way)
        mail.send(user.email, "Choose a new password", text)
