"""A page of a Select: by `skip` and `limit` with a total, or by cursor at any depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import marshmallow as ma
from flask import current_app
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import ColumnElement, Select, and_, cast, or_, tuple_

from project.db import count, db
from project.errors import Invalid
from project.http.fields import Int, Text, Value, spell
from project.http.schemas import Query, Schema

Columns = Mapping[str, ColumnElement[Any]]
PARAMETERS = ("skip", "limit", "cursor", "sort")


@dataclass(frozen=True)
class Key:
    """One step of an order: a column, and which way."""

    name: str
    column: ColumnElement[Any]
    descending: bool

    @property
    def order(self) -> ColumnElement[Any]:
        return self.column.desc() if self.descending else self.column.asc()

    def after(self, value: str) -> ColumnElement[bool]:
        typed = cast(value, self.column.type)
        return self.column < typed if self.descending else self.column > typed

    def at(self, value: str) -> ColumnElement[bool]:
        return self.column == cast(value, self.column.type)

    def onwards(self, value: str) -> ColumnElement[bool]:
        typed = cast(value, self.column.type)
        return self.column <= typed if self.descending else self.column >= typed


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
        return _order(value)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> tuple[Key, ...]:
        given = value.split(",")
        names = [name.removeprefix("-") for name in given]
        if len(set(names)) < len(names) or not set(names) <= set(self.columns):
            raise self.make_error("invalid", names=", ".join(self.columns))
        return _keys(value, self.columns)

    def limits(self) -> dict[str, Any]:
        names = "|".join(self.columns)
        once = rf"(?!.*\b({names})\b.*\b\1\b)"
        return {"pattern": f"^{once}-?({names})(,-?({names}))*$"}


def query_schema(query: type[Query], columns: Columns, order: str) -> type[Query]:
    """The room's own filters and the parameters of every list, as one query schema."""

    class PageQuery(query):  # type: ignore[valid-type, misc]  # because the base is an argument
        skip = Int(min=0, max=1_000_000, metadata={"description": "Rows to leave out."})
        limit = Int(min=1, max=100, load_default=100, metadata={"description": "Rows a page."})
        cursor = Text(
            min=1,
            max=2000,
            pattern="[A-Za-z0-9._-]+",
            allowed="what `next_cursor` consists of",
            metadata={"description": "`next_cursor` of the page before, instead of `skip`."},
        )
        sort = Sort(
            columns,
            load_default=_keys(order, columns),
            example=order,
            metadata={"description": "`-` sorts downwards."},
        )

    PageQuery.__name__ = query.__name__
    return PageQuery


@cache
def page_schema(item: type[Schema]) -> type[Schema]:
    """The document of a page of these items."""
    return type(
        item.__name__.removesuffix("Out") + "Page",
        (Schema,),
        {
            "items": ma.fields.List(ma.fields.Nested(item), required=True),
            "total": Int(required=True, allow_none=True, dump_only=True, example=1),
            "skip": Int(required=True, allow_none=True, dump_only=True, example=0),
            "limit": Int(required=True, dump_only=True, example=100),
            "next_cursor": Text(max=4000, required=True, allow_none=True, dump_only=True),
        },
    )


def read(
    found: Select[Any],
    columns: Columns,
    *,
    limit: int,
    skip: int | None = None,
    cursor: str | None = None,
    sort: Sequence[Key],
) -> dict[str, Any]:
    """One page of what was found; one row more than asked tells whether there is another."""
    if cursor is not None and skip is not None:
        raise _wrong("cursor", "Send either cursor or skip.")
    keys = [*sort]
    if not any(key.name == "id" for key in keys):
        keys.append(Key("id", columns["id"], descending=False))
    page = found.order_by(None).order_by(*(key.order for key in keys)).limit(limit + 1)
    page = page.offset(skip or 0) if cursor is None else page.where(_beyond(cursor, keys))
    rows = db.session.execute(page.add_columns(*(key.column for key in keys))).all()
    more = len(rows) > limit
    rows = rows[:limit]
    return {
        "items": [row[0] for row in rows],
        "total": None if cursor is not None else _total(found, skip or 0, len(rows), more),
        "skip": None if cursor is not None else skip or 0,
        "limit": limit,
        "next_cursor": _cursor(keys, rows[-1][1:]) if more else None,
    }


def _total(found: Select[Any], skip: int, rows: int, more: bool) -> int:
    """A last page tells its own total; any other asks for it."""
    if not more and (rows or not skip):
        return skip + rows
    return count(found)


def _beyond(cursor: str, keys: Sequence[Key]) -> ColumnElement[bool]:
    """Rows behind the cursor's: (a, b) > (x, y) spelled out, since each key has its own way."""
    try:
        order, values = _signer().loads(cursor)
    except BadData:
        raise _wrong("cursor", "Not a cursor of this list; start again without it.") from None
    if order != _order(keys):
        raise _wrong("cursor", "This cursor belongs to another sort; keep sort as it was.")
    if len({key.descending for key in keys}) == 1:  # one way: walks straight on an index
        typed = (cast(value, key.column.type) for key, value in zip(keys, values, strict=True))
        last, here = tuple_(*typed), tuple_(*(key.column for key in keys))
        return here < last if keys[0].descending else here > last
    steps = []
    for depth, key in enumerate(keys):
        same = [before.at(value) for before, value in zip(keys[:depth], values, strict=False)]
        steps.append(and_(*same, key.after(values[depth])))
    return and_(keys[0].onwards(values[0]), or_(*steps))  # the first is where an index can start


def _cursor(keys: Sequence[Key], values: Sequence[Any]) -> str:
    return str(_signer().dumps([_order(keys), [_spell(value) for value in values]]))


def _spell(value: Any) -> str:
    return spell(value) if isinstance(value, datetime) else str(value)


def _keys(order: str, columns: Columns) -> tuple[Key, ...]:
    names = ((word.removeprefix("-"), word.startswith("-")) for word in order.split(","))
    return tuple(Key(name, columns[name], descending) for name, descending in names)


def _order(keys: Sequence[Key]) -> str:
    return ",".join(("-" if key.descending else "") + key.name for key in keys)


def _signer() -> URLSafeSerializer:
    compact = {"ensure_ascii": False}  # a name of 255 emoji still fits into a request line
    keys = [*current_app.config["SECRET_KEY_FALLBACKS"], current_app.config["SECRET_KEY"]]
    return URLSafeSerializer(keys, salt="cursor", serializer_kwargs=compact)


def _wrong(field: str, message: str) -> Invalid:
    return Invalid([{"in": "query", "field": field, "code": "invalid", "message": message}])
