"""A CSV file with a header, row by row: UTF-8, separated by commas, quoted as RFC 4180 says."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import IO
from unicodedata import normalize

from project.errors import Invalid, Refused

LONGEST = 1_000_000  # bytes of a row
SHOWN = 20  # characters of a column's name where it is only shown, and as many names


class Malformed(Refused):
    """This is not the CSV file it should be."""

    code = "malformed_file"


class Sheet:
    """Rows, each with the line where an editor shows its beginning.

    fields, needed: what may be read, and what must be there.
    columns: what the header calls a field, where that is not the field's own name.
    seen: is told of each line read how many bytes it has.
    """

    def __init__(
        self,
        file: IO[bytes],
        fields: Sequence[str],
        needed: Collection[str],
        columns: Mapping[str, str] | None = None,
        seen: Callable[[int], object] = int,
    ) -> None:
        self._unread, self._seen = 0, seen
        self._reader = csv.reader(_lines(file, self._take), strict=True)
        _, header = next(self.rows(), (0, []))
        self.header = [_clean(name) for name in header]
        if not self.header:
            raise Malformed("The file is empty.")
        self.places = dict(self._find(fields, needed, columns or {}))
        used = self.places.values()
        self.ignored = [name for place, name in enumerate(self.header) if place not in used]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line and cells of each row that is not blank; raises Malformed."""
        while True:
            line = self._reader.line_num + 1
            try:
                cells = next(self._reader, None)
            except csv.Error as error:
                raise Malformed(f"The row of line {line} is not CSV: {error}.") from None
            if cells is None:
                return
            if len(cells) > 1 or "".join(cells).strip():
                self._unread = 0  # so blank lines without end are a row that does not end
                yield line, cells

    def document(self, cells: list[str]) -> Mapping[str, str | None]:
        """The fields given; raises Invalid for a row that does not fit the header."""
        if len(cells) != len(self.header):
            wrong = f"The row has {len(cells)} cells, the header {len(self.header)}."
            raise Invalid([{"in": "row", "field": "", "code": "cells", "message": wrong}])
        return {field: cells[place] for field, place in self.places.items()}

    def _take(self, size: int) -> None:
        """Bear a row of so many more bytes; raises Malformed for one that does not end."""
        self._unread += size
        self._seen(size)
        if self._unread > LONGEST:
            line = self._reader.line_num + 1
            raise Malformed(f"The row that reaches line {line} is longer than {LONGEST:,} bytes.")

    def _find(
        self, fields: Sequence[str], needed: Collection[str], columns: Mapping[str, str]
    ) -> Iterator[tuple[str, int]]:
        """Each field in the file with its place; raises Malformed for one that is not there."""
        for field in fields:
            column = _clean(columns.get(field, field))
            if self.header.count(column) > 1:
                raise Malformed(f"The header has more than one column {column!r}.")
            if column in self.header:
                yield field, self.header.index(column)
            elif field in needed or field in columns:
                there = ", ".join(repr(name[:SHOWN]) for name in self.header[:SHOWN])
                raise Malformed(f"There is no column {column!r}; the header has {there}.")


def _clean(name: str) -> str:
    """The name of a column as the API reads texts."""
    return normalize("NFC", name.strip())


def _lines(file: IO[bytes], take: Callable[[int], object]) -> Iterator[str]:
    """The lines of a text file; raises Malformed if it is none."""
    for number, line in enumerate(iter(partial(file.readline, LONGEST + 1), b""), 1):
        take(len(line))
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise Malformed(f"Line {number} is not valid UTF-8.") from None
        if "\0" in text:
            raise Malformed(f"Line {number} holds a NUL: this is not a text file.")
        yield text
