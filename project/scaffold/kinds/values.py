"""Yes or no, days, instants, UUIDs, objects, words, and rows of other rooms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from project.scaffold.kinds.field import PERIOD, Field, Filters, literal


class Boolean(Field):
    """Yes or no."""

    python = "bool"
    keyed = uniquely = sortable = False
    of_database = "Boolean"
    parts = ["StrictBoolean"]
    example = True
    wrong = '"true"', "invalid"
    other = {"": '"false"'}


class Date(Field):
    """A day."""

    python = "date"
    filters = PERIOD
    of_database = "Date"
    parts = ["Date"]
    example = "2026-11-22"
    numbered = 'f"{2000 + number}-11-23"'
    wrong = '"2026-02-30"', "invalid"
    other = {"_min": '"9999-12-31"', "_max": '"0001-01-01"'}


class Datetime(Field):
    """An instant."""

    python = "datetime"
    filters = PERIOD
    of_database = "TIMESTAMP(timezone=True)"
    parts = ["Timestamp"]
    example = "2026-11-22T08:51:36.773621Z"
    numbered = 'f"{2000 + number}-11-23T08:51:36.773621Z"'
    wrong = '"2026-11-22"', "invalid"
    other = {"_min": '"9999-12-31T00:00:00Z"', "_max": '"0001-01-01T00:00:00Z"'}


class Uuid(Field):
    """A UUID."""

    python = "UUID"
    sortable = False
    of_database = "Uuid"
    parts = ["Uuid"]
    example = "3f2b8c1e-9d4a-4b6f-8a17-5c0d2e7f9b31"
    numbered = 'f"00000000-0000-4000-8000-{number:012}"'
    wrong = '"3f2b8c1e"', "invalid"
    other = {"": '"00000000-0000-4000-8000-000000000000"'}


class Json(Field):
    """A JSON object."""

    python = "dict[str, Any]"
    keyed = uniquely = defaults = sortable = False
    filters: ClassVar[Filters] = []
    kind = "JSON(none_as_null=True)"
    parts = ["Object"]
    example = {"colour": "green"}
    wrong = "[]", "invalid"
    broken = "[]"

    @property
    def check(self) -> tuple[str, str]:
        return f"{self.column}_object", f"json_typeof({self.column}) = 'object'"


@dataclass(frozen=True, kw_only=True)
class Enum(Field):
    """One of a few words."""

    choices: tuple[str, ...] = ()
    constant: str = ""

    uniquely: ClassVar[bool] = False
    broken = '""'

    @property
    def kind(self) -> str:
        return f"String({max(map(len, self.choices))})"

    @property
    def parts(self) -> list[str]:
        return ["Choice", f"*{self.constant}"]

    @property
    def check(self) -> tuple[str, str]:
        return f"{self.column}_known", f"{self.column} IN {self.choices}"

    @property
    def condition(self) -> str:
        return f'f"{self.column} IN {{{self.constant}}}"'

    @property
    def example(self) -> str:
        return self.choices[0]

    @property
    def wrong(self) -> tuple[str, str]:
        return f'"{self.choices[0]}?"', "choice"

    @property
    def other(self) -> Mapping[str, str]:
        return {"": literal(self.choices[1])}


@dataclass(frozen=True, kw_only=True)
class Ref(Field):
    """A row of another room, or of the same."""

    target: str = ""  # what the room is called
    table: str = ""
    words_of_target: str = ""

    python = "int"
    uniquely = defaults = sortable = False
    of_database = "BigInteger"
    parts = ["Int", "min=1", "max=INT8"]
    example = 1
    wrong = "0", "out_of_range"
    other = {"": "2**40"}

    @property
    def column(self) -> str:
        return f"{self.name}_id"

    @property
    def code(self) -> str:
        """Of the refusal of an id that leads nowhere."""
        return f"no_such_{self.target}"

    @property
    def sentence(self) -> str:
        return f"There is no {self.words_of_target} with id {{{self.column}}}"

    @property
    def rule(self) -> str:
        return f'rule("{self.code}", "{self.sentence}")'

    @property
    def kind(self) -> str:
        return f'ForeignKey("{self.table}.id", info={self.rule})'
