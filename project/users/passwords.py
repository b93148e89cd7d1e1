"""Passwords: argon2id, the same effort for accounts that do not exist, and the too common ones."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

# Two at a time in a process: a flood of sign-ins may neither fill the memory nor take every core.
AT_ONCE = BoundedSemaphore(2)


def hash(password: str) -> str:
    """The argon2id hash of exactly these characters."""
    with AT_ONCE:
        return HASHER.hash(password)


def matches(hashed: str | None, password: str) -> bool:
    """Whether the password is the hashed one; None costs as long as a wrong one."""
    try:
        with AT_ONCE:
            dummy = _dummy()
            return HASHER.verify(dummy if hashed is None else hashed, password) and bool(hashed)
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(hashed: str) -> bool:
    """Whether the hash is of another make than today's."""
    return HASHER.check_needs_rehash(hashed)


def is_common(password: str) -> bool:
    """Whether it is among the passwords that everybody tries first, in any case."""
    return password.lower() in _common()


@cache
def _dummy() -> str:
    return HASHER.hash("nobody has this password")


@cache
def _common() -> frozenset[str]:
    """Common passwords of 8 characters and more; shorter ones are refused anyway."""
    lines = Path(__file__).with_name("common_passwords.txt").read_text().splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))
