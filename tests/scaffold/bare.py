"""A copy of the house without the rooms that were written by command: tests write their own."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import project.features  # noqa: F401 - because a room is dropped by what its models say
from project.errors import Refused
from project.scaffold import destroying, writing
from project.scaffold.house import House


def take_away(root: Path) -> None:
    """Destroy each of them in a checkout where all is committed; those first that nobody needs."""
    left: list[str] = []
    while (there := House(root).written) != left:
        left = there
        for many in there:
            command = House(root).command(many) or [many]
            with suppress(Refused):  # others depend on it, and go before it
                writing.carry_out(root, destroying.plan(command[0], House(root)))
