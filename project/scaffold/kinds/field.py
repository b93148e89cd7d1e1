"""What every type of field says of itself, for whatever is rendered."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

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
class Field(ABC):
    """A field of a resource; subclasses say of their type what is to be spelled where.

    What a type says the same of every field is a plain attribute there.
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
    @abstractmethod
    def parts(self) -> list[str]:
        """The class of the schema's field, and the arguments that its type needs."""

    @property
    def filter(self) -> str:
        """The class and the arguments of a filter."""
        return self.spelled(metadata='{{"description": "{}"}}')

    @property
    @abstractmethod
    def example(self) -> Any:
        """A good value, as JSON has it and as it is answered."""

    @property
    def numbered(self) -> str:
        """An expression of `number`: another value each time; of what may be unique."""
        return ""

    @property
    def fresh(self) -> str:
        """An expression of a good value, which is another each time where it must be."""
        return self.numbered if self.unique else literal(self.example)

    @property
    @abstractmethod
    def wrong(self) -> tuple[str, str]:
        """An expression of a value that is refused, and the code of the refusal."""

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


def literal(value: Any) -> str:
    """A value of JSON as Python spells it, in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | dict) else repr(value)
