"""Rooms that tell the tests of the house, in their make.py, what must be known of them.

THING is what one of their rows is called, WRITABLE the fields that callers may write, RIGHTS who
may do what; `body()` makes a body that is like no other, `make_<THING>()` a stored row. BODIES, if
it is there, names the fields of each further operation with a body.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from config import ROOT
from project.db import Base

HAND: dict[str, str] = {
    "products": "product",
    "users": "user",
    "posts": "published",
    "webhooks": "webhook",
}


@dataclass(frozen=True)
class Room:
    """What a make.py says."""

    told: Any

    @property
    def thing(self) -> str:
        return str(self.told.THING)

    @property
    def rights(self) -> dict[str, str]:
        return dict(self.told.RIGHTS)

    @property
    def writable(self) -> str:
        return " ".join(self.told.WRITABLE)

    @cached_property
    def model(self) -> type[Base]:
        """What its rows are: what is made says so."""
        name = self.told.__dict__[f"make_{self.thing}"].__annotations__["return"]
        model: type[Base] = self.told.__dict__[name]
        return model

    @property
    def table(self) -> str:
        return str(self.model.__tablename__)

    @property
    def owned(self) -> bool:
        return "owner_id" in self.model.__table__.columns

    @property
    def segment(self) -> str:
        """What stands before the id in addresses."""
        return self.table.replace("_", "-")

    @property
    def bodies(self) -> dict[str, str]:
        """The fields of every body, by operation."""
        further = getattr(self.told, "BODIES", {})
        own = {name: " ".join(fields) for name, fields in further.items()}
        return {**dict.fromkeys(self.writing, self.writable), **own}

    @property
    def writing(self) -> list[str]:
        """The operations whose body is a row."""
        return [f"{verb}_{self.thing}" for verb in ("create", "put", "patch")]

    @property
    def refs(self) -> dict[str, str]:
        """Its columns that refer to others and can be written: each with the table."""
        keys = self.model.__table__.foreign_keys
        found = {key.parent.name: key.column.table.name for key in keys}
        return {name: table for name, table in found.items() if name in self.told.WRITABLE}

    @property
    def needed(self) -> dict[str, str]:
        """Those without which there is no row."""
        columns = self.model.__table__.columns
        return {name: table for name, table in self.refs.items() if not columns[name].nullable}

    def body(self, **given: Any) -> dict[str, Any]:
        """What a row is made of that is like no other."""
        return dict(self.told.body(**given))

    def make(self, **values: Any) -> Any:
        """A stored row."""
        return self.told.__dict__[f"make_{self.thing}"](**values)


def find() -> dict[str, Room]:
    """The rooms by the names of their tables."""
    folders = sorted(path.parent.name for path in (ROOT / "tests").glob("*/make.py"))
    modules = [importlib.import_module(f"tests.{name}.make") for name in folders]
    rooms = [Room(module) for module in modules if hasattr(module, "RIGHTS")]
    return {room.table: room for room in rooms}


ROOMS = find()
