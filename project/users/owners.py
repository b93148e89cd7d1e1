"""Whose a row is: what belongs to somebody is changed by nobody else."""

from __future__ import annotations

from typing import Protocol

from project.errors import Forbidden
from project.users.models import User


class OnlyOwner(Forbidden):
    """What is somebody else's."""

    sentence = "Only the owner and superusers may do this."


class Owned(Protocol):
    """A row that belongs to somebody."""

    @property
    def owner_id(self) -> int: ...


def judge(row: Owned, by: User) -> None:
    """Raise OnlyOwner for whom it does not belong to. Owners never change, so it stays true."""
    if row.owner_id != by.id and not by.is_superuser:
        raise OnlyOwner
