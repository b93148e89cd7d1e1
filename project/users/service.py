"""What can be done with users."""

from __future__ import annotations

from typing import Any

from sqlalchemy import or_, select

from project.db import db, save
from project.users import passwords
from project.users.models import User


def active(id: int) -> User | None:
    """The user with this id, unless gone or deactivated."""
    return db.session.scalar(select(User).where(User.id == id, User.is_active))


def by_login(login: str) -> User | None:
    """The user of this name or e-mail address, in any case."""
    given = login.lower()
    return db.session.scalar(select(User).where(or_(User.username == given, User.email == given)))


def any_exist() -> bool:
    """Whether anybody has an account yet."""
    return db.session.scalar(select(User.id).limit(1)) is not None


def create(values: dict[str, Any]) -> User:
    """Make an account; the rules of its names speak at the insert."""
    values = dict(values)
    hashed = passwords.hash(values.pop("password"))
    return save(User(**values, hashed_password=hashed))
