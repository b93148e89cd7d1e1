"""Text, and what is spelled as such: addresses and slugs."""

from __future__ import annotations

from typing import ClassVar

from project.scaffold.kinds.field import Field, Filters


class Text(Field):
    """Letters: `String` up to 255 of them, `Text` beyond."""

    sized = searched = sorted_lower = True
    filters: ClassVar[Filters] = []
    widest = 1, 50_000
    usual = 1, 255
    broken = '""'

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
    def numbered(self) -> str:
        stem = f"{self.words.capitalize()} "
        if self.low <= len(stem) and self.high >= len(stem) + 9:
            return f'f"{stem}{{number}}"'
        return f'f"{{number:0{self.low}}}"' if self.low > 1 else 'f"{number}"'

    @property
    def wrong(self) -> tuple[str, str]:
        return f'"x" * {self.high + 1}', "too_long"

    def _fit(self, text: str) -> str:
        return text[: self.high].rstrip().ljust(self.low, "x")


class Email(Field):
    """An e-mail address."""

    searched = True
    kind = "String(255)"
    parts = ["Email"]
    example = "ada@example.org"
    numbered = 'f"ada{number}@example.org"'
    wrong = '"ada"', "invalid_email"
    broken = '"x"'
    other = {"": '"eve@example.org"'}

    @property
    def check(self) -> tuple[str, str]:
        return f"{self.column}_length", f"char_length({self.column}) >= 3"


class Slug(Field):
    """A name for addresses."""

    sized = searched = True
    widest = 8, 255
    usual = None, 100
    example = "a-lamp"
    numbered = 'f"a-{number}"'
    wrong = '"A lamp"', "pattern"
    broken = '"A lamp"'
    other = {"": '"no-lamp"'}

    @property
    def kind(self) -> str:
        return f"String({self.high})"

    @property
    def parts(self) -> list[str]:
        return ["Slug", *([] if self.high == 100 else [f"max={self.high}"])]

    @property
    def check(self) -> tuple[str, str]:
        return f"{self.column}_pattern", f"{self.column} ~ '^[a-z0-9]+(-[a-z0-9]+)*$'"


class Url(Field):
    """The address of a page."""

    sized = searched = True
    sortable = False
    filters: ClassVar[Filters] = []
    widest = 40, 2000
    usual = None, 2000
    example = "https://example.org/lamps"
    numbered = 'f"https://example.org/{number}"'
    wrong = '"example.org"', "pattern"
    broken = '"example.org"'

    @property
    def kind(self) -> str:
        return f"String({self.high})"

    @property
    def parts(self) -> list[str]:
        return ["Url", *([] if self.high == 2000 else [f"max={self.high}"])]

    @property
    def check(self) -> tuple[str, str]:
        return f"{self.column}_pattern", f"{self.column} ~ '^https?://'"
