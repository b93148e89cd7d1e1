"""Who somebody is."""

from __future__ import annotations

from project.errors import Unauthorized
from project.users import passwords
from project.users import service as users
from project.users.models import User


def authenticate(login: str, password: str) -> User:
    """The active user with these credentials; one sentence and one effort for every no."""
    user = users.by_login(login)
    hashed = user.hashed_password if user is not None and user.is_active else None
    if not passwords.matches(hashed, password) or user is None:
        raise wrong_credentials()
    return user


def wrong_credentials() -> Unauthorized:
    """One sentence for unknown, inactive and mistyped."""
    return Unauthorized("Wrong user name, e-mail or password.", code="wrong_credentials")
