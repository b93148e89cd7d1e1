"""Text, and what is spelled as such: addresses and slugs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from project.scaffold.kinds.field import Field, Filters


class Text(Field):
    """Letters: `String` up to 255 of them, `Text` beyond."""

    sized = searched = sorted_lower = True
    filters: ClassVar[Filters] = []

    @property
    def widest(self) -> tuple[int, int]:
        return 1, 50_000

    @property
    def usual(self) -> tuple[int, int]:
        return 1, 255

    @property
    def kind(self) -> str:
        return f"String({self.high})" if self.high <= 255 else "Text"

    @property
    def parts(self) -> list[str]:
        if self.nullable and self.low == 1:
            return ["Note", f"max={self.high}"]
        return ["Text", f"min={self.low}", f"max={self.high}"]

    def spelled(self, **further: str) -> str:
        if self.nullable and self.low == 1:  # a Note may always be missing
            further.pop("allow_none", None)
        return super().spelled(**further)

    @property
    def check(self) -> tuple[str, str]:
        length = f"char_length({self.column})"
        if self.high > 255:
            return f"{self.column}_length", f"{length} BETWEEN {self.low} AND {self.high}"
        return f"{self.column}_{'given' if self.low == 1 else 'length'}", f"{length} >= {self.low}"

    @property
    def example(self) -> str:
        return self._fit(f"Some {self.words}")

    @property
    def fresh(self) -> str:
        if not self.unique:
            return super().fresh
        stem = f"{self.words.capitalize()} "
        if self.low <= len(stem) and self.high >= len(stem) + 9:
            return f'f"{stem}{{number}}"'
        return f'f"{{number:0{self.low}}}"' if self.low > 1 else 'f"{number}"'

    @property
    def wrong(self) -> tuple[str, str]:
        return f'"x" * {self.high + 1}', "too_long"

    @property
    def broken(self) -> str:
        return '""'

    def _fit(self, text: str) -> str:
        return text[: self.high].rstrip().ljust(self.low, "x")


class Email(Field):
    """An e-mail address."""

    searched = True

    @property
    def kind(self) -> str:
        return "String(255)"

    @property
    def parts(self) -> list[str]:
        return ["Email"]

    @property
    def check(self) -> tuple[str, str]:
        return f"{self.column}_length", f"char_length({self.column}) >= 3"

    @property
    def example(self) -> str:
        return "ada@example.org"

    @property
    def fresh(self) -> str:
        return 'f"ada{number}@example.org"' if self.unique else super().fresh

    @property
    def wrong(self) -> tuple[str, str]:
        return '"ada"', "invalid_email"

    @property
    def broken(self) -> str:
        return '"x"'

    @property
    def other(self) -> Mapping[str, str]:
        return {"": '"eve@example.org"'}


class Slug(Field):
    """A name for addresses."""

    sized = searched = True

    @property
    def widest(self) -> tuple[int, int]:
        return 8, 255

    @property
    def usual(self) -> tuple[None, int]:
        return None, 100

    @property
    def kind(self) -> str:
        return f"String({self.high})"

    @property
    def parts(self) -> list[str]:
        return ["Slug", *([] if self.high == 100 else [f"max={self.high}"])]

    @property
    def check(self) -> tuple[str, str]:
        return f"{self.column}_pattern", f"{self.column} ~ '^[a-z0-9]+(-[a-z0-9]+)*$'"

    @property
    def example(self) -> str:
        return "a-lamp"

    @property
    def fresh(self) -> str:
        return 'f"a-{number}"' if self.unique else super().fresh

    @property
    def wrong(self) -> tuple[str, str]:
        return '"A lamp"', "pattern"

    @property
    def broken(self) -> str:
        return '"A lamp"'

    @property
    def other(self) -> Mapping[str, str]:
        return {"": '"no-lamp"'}


class Url(Field):
    """The address of a page."""

    sized = searched = True
    sortable = False
    filters: ClassVar[Filters] = []

    @property
    def widest(self) -> tuple[int, int]:
        return 40, 2000

    @property
    def usual(self) -> tuple[None, int]:
        return None, 2000

    @property
    def kind(self) -> str:
        return f"String({self.high})"

    @property
    def parts(self) -> list[str]:
        return ["Url", *([] if self.high == 2000 else [f"max={self.high}"])]

    @property
    def check(self) -> tuple[str, str]:
        return f"{self.column}_pattern", f"{self.column} ~ '^https?://'"

    @property
    def example(self) -> str:
        return "https://example.org/lamps"

    @property
    def fresh(self) -> str:
        return 'f"https://example.org/{number}"' if self.unique else super().fresh

    @property
    def wrong(self) -> tuple[str, str]:
        return '"example.org"', "pattern"

    @property
    def broken(self) -> str:
        return '"example.org"'
