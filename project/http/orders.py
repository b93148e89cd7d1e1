"""The order of a list, and the cursors that stand for places in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from flask import current_app
from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode
from sqlalchemy import BindParameter, ColumnElement, Text, and_, bindparam, cast, or_, tuple_

from project.errors import Invalid
from project.http.fields import Value

Columns = Mapping[str, ColumnElement[Any]]
RECENT = 500  # cursors at hand, since the first pages of a list are asked for again and again


@dataclass(frozen=True)
class Key:
    """One step of an order: a column, and which way."""

    name: str
    column: ColumnElement[Any]
    descending: bool

    @property
    def order(self) -> ColumnElement[Any]:
        return self.column.desc() if self.descending else self.column.asc()

    @property
    def parameter(self) -> BindParameter[str]:
        """The value in the last row of the page before, spelled."""
        return bindparam(f"last_{self.name}", type_=Text())

    @property
    def last(self) -> ColumnElement[Any]:
        return cast(self.parameter, self.column.type)

    @property
    def beyond(self) -> ColumnElement[bool]:
        return self.column < self.last if self.descending else self.column > self.last

    @property
    def onwards(self) -> ColumnElement[bool]:
        return self.column <= self.last if self.descending else self.column >= self.last


@dataclass(frozen=True, eq=False)
class Order:
    """By which columns a list is sorted; it ends with the id by itself.

    asked: as it was asked for. name: as its cursors know it.
    """

    asked: str
    name: str
    keys: tuple[Key, ...]

    @property
    def id(self) -> ColumnElement[int]:
        return next(key.column for key in self.keys if key.name == "id")

    def beyond(self) -> ColumnElement[bool]:
        """Rows behind a place: (a, b) > (x, y) spelled out, since each key has its own way."""
        keys = self.keys
        if len({key.descending for key in keys}) == 1:  # one way: walks straight on an index
            last, here = tuple_(*(key.last for key in keys)), tuple_(*(key.column for key in keys))
            return here < last if keys[0].descending else here > last
        steps = []
        for depth, key in enumerate(keys):
            same = [before.column == before.last for before in keys[:depth]]
            steps.append(and_(*same, key.beyond))
        return and_(keys[0].onwards, or_(*steps))  # the first is where an index can start

    def cursor(self, values: Sequence[str]) -> str:
        """What stands for the row with these sort values."""
        return _signed(_signer(), self.name, tuple(values))

    def place(self, cursor: str) -> tuple[str, ...]:
        """The sort values of the row that a cursor stands for; raises Invalid."""
        try:
            name, *values = json.loads(base64_decode(_signer().unsign(cursor)))
        except BadData:
            raise wrong("cursor", "Not a cursor of this list; start again without it.") from None
        if name != self.name:
            raise wrong("cursor", "This cursor belongs to another sort; keep sort as it was.")
        return tuple(values)


def order(asked: str, columns: Columns) -> Order:
    """The order that `-price,name` asks for."""
    names = [(word.removeprefix("-"), word.startswith("-")) for word in asked.split(",")]
    if all(name != "id" for name, _ in names):
        names.append(("id", False))
    keys = tuple(Key(name, columns[name], descending) for name, descending in names)
    name = ",".join(("-" if key.descending else "") + key.name for key in keys)
    return Order(asked, name, keys)


class Sort(Value):
    """`-price,name`: whitelisted columns, `-` for descending; ends with the id by itself.

    A column may not be nullable: a cursor has no place among values that are not there.
    """

    default_error_messages = {
        "invalid": "Must be some of {names}, separated by commas, each at most once.",
    }

    def __init__(self, columns: Columns, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        nullable = [name for name, column in columns.items() if getattr(column, "nullable", False)]
        if nullable:
            raise ValueError(f"these columns cannot be sorted by, they may be null: {nullable}")
        self.columns = columns

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str:
        return str(value.asked)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Order:
        names = [name.removeprefix("-") for name in value.split(",")]
        if len(set(names)) < len(names) or not set(names) <= set(self.columns):
            raise self.make_error("invalid", names=", ".join(self.columns))
        return order(value, self.columns)

    def limits(self) -> dict[str, Any]:
        names = "|".join(self.columns)
        once = rf"(?!.*\b({names})\b.*\b\1\b)"
        return {"pattern": f"^{once}-?({names})(,-?({names}))*$"}


@lru_cache(RECENT)
def _signed(signer: Signer, name: str, values: tuple[str, ...]) -> str:
    spelled = json.dumps([name, *values], ensure_ascii=False, separators=(",", ":"))
    return signer.sign(base64_encode(spelled)).decode()


def _signer() -> Signer:
    return _signing(*current_app.config["SECRET_KEY_FALLBACKS"], current_app.config["SECRET_KEY"])


@cache
def _signing(*keys: str) -> Signer:
    return Signer(list(keys), salt="cursor")


def wrong(field: str, message: str) -> Invalid:
    """What a list cannot be asked."""
    return Invalid([{"in": "query", "field": field, "code": "invalid", "message": message}])
