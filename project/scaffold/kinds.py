"""The types of fields: how each is spelled in a model, a schema, a filter, and in tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from project.db import INT4, INT8

Filters = list[tuple[str, str, str]]  # behind the column's name; the verb; what it finds
EQUALS: Filters = [("", "equals", "Those with this value.")]
RANGE: Filters = [
    ("_min", "at_least", "This or more."),
    ("_max", "at_most", "This or less."),
]
PERIOD: Filters = [
    ("_min", "at_least", "Then or later."),
    ("_max", "at_most", "Then or earlier."),
]


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of a resource; subclasses say of their type what is to be spelled where.

    low, high: the bounds of the value, or of the length of a text.
    """

    name: str
    nullable: bool = False
    unique: bool = False
    indexed: bool = False
    default: str | None = None  # as a server default is spelled in Python
    low: Any = None
    high: Any = None

    python: ClassVar[str] = "str"
    sized: ClassVar[bool] = False  # whether the bounds are of a length
    keyed: ClassVar[bool] = True  # whether it may have an index
    uniquely: ClassVar[bool] = True  # whether it may be unique
    defaults: ClassVar[bool] = True
    searched: ClassVar[bool] = False
    sortable: ClassVar[bool] = True
    sorted_lower: ClassVar[bool] = False  # people do not sort by code point
    filters: ClassVar[Filters] = EQUALS

    @property
    def column(self) -> str:
        return self.name

    @property
    def words(self) -> str:
        return self.name.replace("_", " ")

    @property
    def widest(self) -> tuple[Any, Any] | None:
        """The bounds there can be, where there are any."""
        return None

    @property
    def usual(self) -> tuple[Any, Any]:
        """Those that hold where nobody says others."""
        return self.widest or (None, None)

    @property
    def kind(self) -> str:
        """The type of the column, where `Mapped` does not say it."""
        return ""

    @property
    def of_database(self) -> str:
        """The type of the column in any case."""
        return self.kind

    @property
    def mapped(self) -> str:
        """The attribute of the model."""
        default = [] if self.default is None else [f"server_default={self.default}"]
        arguments = ", ".join([*([self.kind] if self.kind else []), *default])
        python = f"{self.python} | None" if self.nullable else self.python
        made = f" = mapped_column({arguments})" if arguments else ""
        return f"{self.column}: Mapped[{python}]{made}"

    @property
    def check(self) -> tuple[str, str] | None:
        """The name and the condition of its constraint."""
        return None

    @property
    def schema(self) -> str:
        """The field of the schema that is read."""
        need = {"allow_none": "True"} if self.nullable else {"required": "True"}
        need = need if self.default is None or self.nullable else {}
        return self.spelled(**need, example=literal(self.example))

    def spelled(self, **further: str) -> str:
        """The field's class with its bounds, and what else is said of it."""
        name, *arguments = self.parts
        named = [f"{key}={value}" for key, value in further.items()]
        return f"{name}({', '.join([*arguments, *named])})"

    @property
    def parts(self) -> list[str]:
        """The class of the schema's field, and the arguments that its type needs."""
        raise NotImplementedError

    @property
    def filter(self) -> str:
        """The class and the arguments of a filter."""
        return self.spelled(metadata='{{"description": "{}"}}')

    @property
    def example(self) -> Any:
        """A good value, as JSON has it and as it is answered."""
        raise NotImplementedError

    @property
    def fresh(self) -> str:
        """An expression of `number`: another value each time."""
        return literal(self.example)

    @property
    def wrong(self) -> tuple[str, str]:
        """An expression of a value that is refused, and the code of the refusal."""
        raise NotImplementedError

    @property
    def condition(self) -> str:
        """The condition of the constraint, in Python."""
        return literal(self.check[1]) if self.check else ""

    @property
    def broken(self) -> str | None:
        """An expression of a value that the constraint refuses."""
        return None

    @property
    def other(self) -> Mapping[str, str]:
        """For filters, by what stands behind the name: an expression of what finds nothing."""
        return {}


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


class Integer(Field):
    """A whole number of four bytes."""

    python = "int"
    filters = RANGE

    @property
    def widest(self) -> tuple[int, int]:
        return -INT4, INT4

    @property
    def of_database(self) -> str:
        return "Integer"

    @property
    def parts(self) -> list[str]:
        low = [] if self.low == 0 else [f"min={whole(self.low)}"]
        high = [] if self.high == INT4 else [f"max={whole(self.high)}"]
        return ["Int", *low, *high]

    @property
    def check(self) -> tuple[str, str] | None:
        lowest, highest = self.widest
        conditions = {
            (True, True): f"BETWEEN {self.low} AND {self.high}",
            (True, False): f">= {self.low}",
            (False, True): f"<= {self.high}",
        }
        bounded = self.low != lowest, self.high != highest
        if bounded not in conditions:
            return None
        return f"{self.column}_range", f"{self.column} {conditions[bounded]}"

    @property
    def example(self) -> int:
        return int(min(max(3, self.low), self.high))

    @property
    def fresh(self) -> str:
        if not self.unique:
            return super().fresh
        return "number" if self.low <= 1 else f"{self.low} + number"

    @property
    def wrong(self) -> tuple[str, str]:
        return f"{self.high + 1}", "out_of_range"

    @property
    def broken(self) -> str | None:
        return str(self.low - 1 if self.low != self.widest[0] else self.high + 1)

    @property
    def other(self) -> Mapping[str, str]:
        more = {"_min": str(self.high)} if self.example < self.high else {}
        return {**more, **({"_max": str(self.low)} if self.low < self.example else {})}


class Bigint(Integer):
    """A whole number of eight bytes."""

    @property
    def widest(self) -> tuple[int, int]:
        return -INT8, INT8

    @property
    def kind(self) -> str:
        return "BigInteger"

    @property
    def of_database(self) -> str:
        return "BigInteger"

    @property
    def parts(self) -> list[str]:
        low = [] if self.low == 0 else [f"min={whole(self.low)}"]
        return ["Int", *low, f"max={whole(self.high)}"]


@dataclass(frozen=True, kw_only=True)
class Decimals(Field):
    """A number with decimals: so many digits, so many of them behind the point."""

    digits: int = 12
    places: int = 3

    python = "Decimal"
    uniquely = False
    filters = RANGE

    @property
    def kind(self) -> str:
        return f"Numeric({self.digits}, {self.places})"

    @property
    def widest(self) -> tuple[Decimal, Decimal]:
        return -self.most, self.most

    @property
    def most(self) -> Decimal:
        """The greatest number of so many digits."""
        return Decimal(10) ** (self.digits - self.places) - Decimal(1).scaleb(-self.places)

    @property
    def parts(self) -> list[str]:
        low = [] if self.low == -self.most else [f"min={decimal(self.low)}"]
        high = [] if self.high == self.most else [f"max={decimal(self.high)}"]
        return ["Numeric", str(self.digits), str(self.places), *low, *high]

    @property
    def filter(self) -> str:
        """Without bounds: whoever asks for more than there can be finds nothing."""
        return f'Numeric({self.digits}, {self.places}, metadata={{{{"description": "{{}}"}}}})'

    @property
    def check(self) -> tuple[str, str]:
        # NaN is greater than every number: an upper bound keeps it out
        return f"{self.column}_range", f"{self.column} BETWEEN {self.low} AND {self.high}"

    @property
    def example(self) -> str:
        usual = Decimal("29.9") if self.digits - self.places > 1 else Decimal("1.5")
        return f"{min(max(usual, self.low), self.high):.{self.places}f}"

    @property
    def wrong(self) -> tuple[str, str]:
        return f'"{self.high + 1}"', "out_of_range"

    @property
    def broken(self) -> str:
        return 'Decimal("NaN")'

    @property
    def other(self) -> Mapping[str, str]:
        example = Decimal(self.example)
        more = {"_min": literal(str(self.high))} if example < self.high else {}
        return {**more, **({"_max": literal(str(self.low))} if example > self.low else {})}


@dataclass(frozen=True, kw_only=True)
class Money(Decimals):
    """An amount of two decimals."""

    digits: int = 10
    places: int = 2

    @property
    def usual(self) -> tuple[Decimal, Decimal]:
        return Decimal(0), self.most

    @property
    def kind(self) -> str:
        return ""

    @property
    def of_database(self) -> str:
        return "Numeric(10, 2)"

    @property
    def parts(self) -> list[str]:
        low = [] if self.low == Decimal("0.01") else [f"min={decimal(self.low)}"]
        high = [] if self.high == self.most else [f"max={decimal(self.high)}"]
        return ["Money", *low, *high]

    @property
    def filter(self) -> str:
        kind = "Money(min=Decimal(0)" if self.low >= 0 else "Numeric(10, 2"
        return f'{kind}, metadata={{{{"description": "{{}}"}}}})'


class Boolean(Field):
    """Yes or no."""

    python = "bool"
    keyed = uniquely = sortable = False

    @property
    def of_database(self) -> str:
        return "Boolean"

    @property
    def parts(self) -> list[str]:
        return ["StrictBoolean"]

    @property
    def example(self) -> bool:
        return True

    @property
    def wrong(self) -> tuple[str, str]:
        return '"true"', "invalid"

    @property
    def other(self) -> Mapping[str, str]:
        return {"": '"false"'}


class Date(Field):
    """A day."""

    python = "date"
    filters = PERIOD

    @property
    def of_database(self) -> str:
        return "Date"

    @property
    def parts(self) -> list[str]:
        return ["Date"]

    @property
    def example(self) -> str:
        return "2026-11-22"

    @property
    def fresh(self) -> str:
        return 'f"{2000 + number}-11-22"' if self.unique else super().fresh

    @property
    def wrong(self) -> tuple[str, str]:
        return '"2026-02-30"', "invalid"

    @property
    def other(self) -> Mapping[str, str]:
        return {"_min": '"9999-12-31"', "_max": '"0001-01-01"'}


class Datetime(Field):
    """An instant."""

    python = "datetime"
    filters = PERIOD

    @property
    def of_database(self) -> str:
        return "TIMESTAMP(timezone=True)"

    @property
    def parts(self) -> list[str]:
        return ["Timestamp"]

    @property
    def example(self) -> str:
        return "2026-11-22T08:51:36.773621Z"

    @property
    def fresh(self) -> str:
        return 'f"{2000 + number}-11-22T08:51:36.773621Z"' if self.unique else super().fresh

    @property
    def wrong(self) -> tuple[str, str]:
        return '"2026-11-22"', "invalid"

    @property
    def other(self) -> Mapping[str, str]:
        return {"_min": '"9999-12-31T00:00:00Z"', "_max": '"0001-01-01T00:00:00Z"'}


class Uuid(Field):
    """A UUID."""

    python = "UUID"
    sortable = False

    @property
    def of_database(self) -> str:
        return "Uuid"

    @property
    def parts(self) -> list[str]:
        return ["Uuid"]

    @property
    def example(self) -> str:
        return "3f2b8c1e-9d4a-4b6f-8a17-5c0d2e7f9b31"

    @property
    def fresh(self) -> str:
        spelled = 'f"00000000-0000-4000-8000-{number:012}"'
        return spelled if self.unique else super().fresh

    @property
    def wrong(self) -> tuple[str, str]:
        return '"3f2b8c1e"', "invalid"

    @property
    def other(self) -> Mapping[str, str]:
        return {"": '"00000000-0000-4000-8000-000000000000"'}


class Json(Field):
    """A JSON object."""

    python = "dict[str, Any]"
    keyed = uniquely = defaults = sortable = False
    filters: ClassVar[Filters] = []

    @property
    def kind(self) -> str:
        return "JSON(none_as_null=True)"

    @property
    def parts(self) -> list[str]:
        return ["Object"]

    @property
    def check(self) -> tuple[str, str]:
        return f"{self.column}_object", f"json_typeof({self.column}) = 'object'"

    @property
    def example(self) -> dict[str, Any]:
        return {"colour": "green"}

    @property
    def wrong(self) -> tuple[str, str]:
        return "[]", "invalid"

    @property
    def broken(self) -> str:
        return "[]"


@dataclass(frozen=True, kw_only=True)
class Enum(Field):
    """One of a few words."""

    choices: tuple[str, ...] = ()
    constant: str = ""

    uniquely: ClassVar[bool] = False

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
    def broken(self) -> str:
        return '""'

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

    @property
    def of_database(self) -> str:
        return "BigInteger"

    @property
    def parts(self) -> list[str]:
        return ["Int", "min=1", "max=INT8"]

    @property
    def example(self) -> int:
        return 1

    @property
    def wrong(self) -> tuple[str, str]:
        return "0", "out_of_range"

    @property
    def other(self) -> Mapping[str, str]:
        return {"": "2**40"}


def literal(value: Any) -> str:
    """A value of JSON as Python spells it, in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | dict) else repr(value)


def decimal(number: Decimal) -> str:
    """As the house spells it."""
    return f"Decimal({number})" if number == int(number) else f'Decimal("{number}")'


def whole(number: int) -> str:
    """The limits of the database by their names."""
    named = {INT4: "INT4", -INT4: "-INT4", INT8: "INT8", -INT8: "-INT8"}
    return named.get(number, str(number))
