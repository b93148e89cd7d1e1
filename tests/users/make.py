"""Users for tests."""

from __future__ import annotations

from itertools import count
from typing import Any

from project.db import save
from project.users import passwords
from project.users.models import User

PASSWORD = "correct horse battery"
HASHED = passwords.hash(PASSWORD)
numbers = count(1)


def make_user(**values: Any) -> User:
    """A stored user with PASSWORD; `values` replace what it is made of."""
    name = f"user{next(numbers)}"
    made = {"username": name, "email": f"{name}@example.org", "hashed_password": HASHED}
    return save(User(**{**made, **values}))
