"""Passwords: argon2id, and the same effort for accounts that do not exist."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def hash(password: str) -> str:
    """The argon2id hash of exactly these characters."""
    return HASHER.hash(password)


def matches(hashed: str | None, password: str) -> bool:
    """Whether the password is the hashed one; None costs as long as a wrong one."""
    try:
        return HASHER.verify(hashed or _dummy(), password) and hashed is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _dummy() -> str:
    return HASHER.hash("nobody has this password")
