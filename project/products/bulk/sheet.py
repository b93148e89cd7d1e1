"""A CSV file of products."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import IO

from project import sheets

FIELDS = ("name", "description", "price", "stock", "is_active")
NEEDED = ("name", "price")


class Sheet(sheets.Sheet):
    """Products, a row each."""

    def __init__(
        self,
        file: IO[bytes],
        columns: Mapping[str, str] | None = None,
        seen: Callable[[int], object] = int,
    ) -> None:
        super().__init__(file, FIELDS, NEEDED, columns, seen)

    def document(self, cells: list[str]) -> Mapping[str, str | None]:
        """The fields given; raises Invalid for a row that does not fit the header.

        An empty cell clears the description and leaves stock and is_active as they are; what it
        means for name and price, their rules say.
        """
        return {
            field: None if field == "description" and not cell else cell
            for field, cell in super().document(cells).items()
            if cell or field not in ("stock", "is_active")
        }
