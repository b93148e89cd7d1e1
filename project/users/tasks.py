"""What workers do for users: mails to them, at the address they have by then."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from project import mail
from project.db import reading
from project.jobs import task
from project.users import service


@task("users.welcome", waits=mail.WAITS, outside=True)
def welcome(user_id: int) -> None:
    """Tell somebody that there is an account."""
    _write("welcome", user_id)


@task("users.tell_of_new_password", waits=mail.WAITS, outside=True)
def tell_of_new_password(user_id: int, at: str) -> None:
    """Tell somebody that the password was changed, and what to do about a theft."""
    then = datetime.fromisoformat(at)
    _write("password_changed", user_id, at=f"{then.day} {then:%B %Y, %H:%M} UTC")


def _write(template: str, user_id: int, **context: Any) -> None:
    """A mail to an active user; who is gone meanwhile gets none."""
    with reading():
        user = service.active(user_id)
        known = None if user is None else (user.email, user.username)
    if known is not None:
        to, username = known
        mail.deliver(template, to=to, username=username, **context)
