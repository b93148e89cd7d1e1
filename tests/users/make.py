"""Users for tests."""

from __future__ import annotations

from itertools import count
from typing import Any

from project.db import save
from project.users import credentials, passwords
from project.users.models import User

PASSWORD = "correct horse battery"
HASHED = passwords.hash(PASSWORD)
numbers = count(1)


def make_user(**values: Any) -> User:
    """A stored user with PASSWORD; `values` replace what it is made of."""
    name = f"user{next(numbers)}"
    made = {"username": name, "email": f"{name}@example.org", "hashed_password": HASHED}
    return save(User(**{**made, **values}))


def begun(email: str) -> str:
    """The token that would be mailed to this address, where somebody has it."""
    reset = credentials.begin_reset(email)
    assert reset is not None
    return reset[1]
