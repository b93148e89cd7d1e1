"""A CSV file of products."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import IO, Any

from project import sheets

FIELDS = ("name", "description", "price", "stock", "low_stock_threshold", "is_active")
NEEDED = ("name", "price")
CLEARED = ("description", "low_stock_threshold")  # by an empty cell
KEPT = ("stock", "is_active")  # where the cell is empty


class Sheet(sheets.Sheet):
    """Products, a row each."""

    def __init__(
        self,
        file: IO[bytes],
        columns: Mapping[str, str] | None = None,
        seen: Callable[[int], object] = int,
    ) -> None:
        super().__init__(file, FIELDS, NEEDED, columns, seen)

    def plain(self, patterns: Mapping[str, str]) -> Callable[[list[str]], Sequence[Any] | None]:
        """Answers of a row the values of its fields, if they match the patterns: else None.

        A cell that may be empty matches too if it is, and is None. No cell holds a NUL, so that
        they are told apart.
        """
        parts = (
            f"(?:{patterns[field]})?" if field in CLEARED + KEPT else patterns[field]
            for field in self.places
        )
        match = re.compile("\0".join(parts)).fullmatch
        pick, width = itemgetter(*self.places.values()), len(self.header)

        def look(cells: list[str]) -> Sequence[Any] | None:
            found = match("\0".join(pick(cells))) if len(cells) == width else None
            return found and found.groups()

        return look

    def document(self, cells: list[str]) -> Mapping[str, str | None]:
        """The fields given; raises Invalid for a row that does not fit the header.

        An empty cell clears what may be null and leaves stock and is_active as they are; what it
        means for name and price, their rules say.
        """
        return {
            field: None if field in CLEARED and not cell else cell
            for field, cell in super().document(cells).items()
            if cell or field not in KEPT
        }
