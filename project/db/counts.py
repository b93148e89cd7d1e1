"""How many rows a list has, as far as that is known without counting them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, func, inspect

from project.db.prepared import form
from project.db.session import db

REMEMBERED = 10_000  # totals; then all of them are forgotten


@dataclass(frozen=True)
class Counts:
    """What is known of the totals of a list, by which filters are given.

    exact: where the total is kept, and read in the statement of the page.
    version: another number, in the snapshot of the page, whenever a total that depends on nothing
        but `lasting` filters may have changed. Until then it is remembered.
    """

    exact: Mapping[frozenset[str], ColumnElement[int]] = field(default_factory=dict)
    version: ColumnElement[int] | None = None
    lasting: frozenset[str] = frozenset()
    remembered: dict[Hashable, tuple[int, int]] = field(default_factory=dict)

    def told(self, given: frozenset[str]) -> ColumnElement[int] | None:
        """What the page's statement shall answer besides: the total, or the version."""
        if given in self.exact:
            return self.exact[given]
        return self.version if given <= self.lasting else None

    def total(self, found: Select[Any], given: frozenset[str], said: int | None) -> int:
        """How many rows are found, where the page's statement `said` this."""
        if said is None:
            return count(found)
        if given in self.exact:
            return said
        if (asked := form(found)) is None:
            return count(found)
        known, total = self.remembered.get(asked.question, (None, 0))
        if known != said and self.version is not None:
            total, known = db.session.execute(_counted(found).add_columns(self.version)).one()
            if len(self.remembered) >= REMEMBERED:
                self.remembered.clear()
            self.remembered[asked.question] = known, total
        return total


UNKNOWN = Counts()


def count(found: Select[Any]) -> int:
    """How many rows a Select finds."""
    return int(db.session.scalar(_counted(found)) or 0)


def _counted(found: Select[Any]) -> Select[Any]:
    """By its primary key: for `count(*)` PostgreSQL would rather read all of another index that has
    the column searched, and overlooks what a pattern costs for each.
    """
    key = inspect(found.column_descriptions[0]["entity"]).primary_key[0]
    return found.order_by(None).with_only_columns(func.count(key), maintain_column_froms=True)
