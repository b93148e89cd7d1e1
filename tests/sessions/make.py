"""Sessions for tests."""

from __future__ import annotations

from project.sessions import service
from project.sessions.models import Session
from project.users.models import User


def begin(user: User) -> tuple[Session, str]:
    """A new session of this user, with its refresh token."""
    return service.start(user.id, "tests", "127.0.0.1")
