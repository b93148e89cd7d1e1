"""A page of a Select: by `skip` and `limit` with a total, or by cursor at any depth."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import marshmallow as ma
from flask import current_app
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy import Text as SqlText

from project.db import Counts, ask
from project.errors import Invalid
from project.http import documents
from project.http.fields import Int, Text, Value
from project.http.schemas import Query, Schema

Columns = Mapping[str, ColumnElement[Any]]
PARAMETERS = ("skip", "limit", "cursor", "sort")
FIRST = literal_column("1", Integer)
DEEP = 1000  # rows to leave out; from there on it pays to look for the ids first


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
        return bindparam(f"last_{self.name}", type_=SqlText())

    @property
    def last(self) -> ColumnElement[Any]:
        return cast(self.parameter, self.column.type)

    @property
    def beyond(self) -> ColumnElement[bool]:
        return self.column < self.last if self.descending else self.column > self.last

    @property
    def onwards(self) -> ColumnElement[bool]:
        return self.column <= self.last if self.descending else self.column >= self.last


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


@dataclass(frozen=True)
class Page:
    """Which rows of a list: some after so many, or after the last of the page before."""

    keys: tuple[Key, ...]
    limit: int
    skip: int = 0
    last: tuple[str, ...] | None = None

    @property
    def shape(self) -> tuple[Any, ...]:
        """What its statement depends on, but for values."""
        way = "after" if self.last else "deep" if self.skip >= DEEP else self.skip > 0
        return _order(self.keys), self.limit, way

    @property
    def values(self) -> dict[str, Any]:
        """Of the parameters of its statement."""
        if self.last is None:
            return {"skip": self.skip} if self.skip else {}
        return {key.parameter.key: value for key, value in zip(self.keys, self.last, strict=True)}


def read(
    found: Select[Any],
    columns: Columns,
    schema: ma.Schema,
    counts: Counts,
    given: frozenset[str],
    *,
    limit: int,
    skip: int | None = None,
    cursor: str | None = None,
    sort: tuple[Key, ...],
) -> str:
    """The document of one page of what was found.

    One row more than asked tells whether there is another page.
    given: the filters that were.
    """
    if cursor is not None and skip is not None:
        raise _wrong("cursor", "Send either cursor or skip.")
    ends = any(key.name == "id" for key in sort)
    keys = sort if ends else (*sort, Key("id", columns["id"], descending=False))
    page = Page(keys, limit, skip or 0, None if cursor is None else _place(cursor, keys))
    told = None if cursor is not None else counts.told(given)

    def build(found: Select[Any]) -> Select[Any]:
        return _statement(found, schema, page, told)

    shape = schema, *page.shape, told is None or given
    row = ask(found, shape, build, page.values)
    assert row is not None  # because an aggregate always answers
    rows, items, said, *last = row
    more = rows > limit
    total: Any = "null"
    if cursor is None:  # a last page tells its own total
        ended = not more and (rows or not skip)
        total = page.skip + rows if ended else counts.total(found, given, said)
    onwards = json.dumps(_cursor(keys, last)) if more else "null"
    start = "null" if cursor is not None else page.skip
    return (
        f'{{"items":[{items or ""}],"total":{total},"skip":{start},"limit":{limit},'
        f'"next_cursor":{onwards}}}'
    )


def _statement(
    found: Select[Any], schema: ma.Schema, page: Page, told: ColumnElement[int] | None
) -> Select[Any]:
    """How many rows a page has, one more at the most; its items; and the place of the last."""
    places = {f"place_{n}": key.column for n, key in enumerate(page.keys)}
    picked = _picked(found, page)
    rows = documents.rows(picked, **places).subquery("page")
    document = documents.beside(rows, found, schema)
    written = func.array_agg(documents.spelled(document))
    last = literal_column(str(page.limit), Integer)
    listed = func.array_to_string(written[slice(FIRST, last)], documents.COMMA)
    ends = (cast(func.array_agg(rows.c[place])[last], SqlText) for place in places)
    answer = select(func.count(), listed, null() if told is None else told, *ends)
    return answer.select_from(rows.join(document, true()))


def _picked(found: Select[Any], page: Page) -> Select[Any]:
    order = [key.order for key in page.keys]
    limit = literal_column(str(page.limit + 1), Integer)
    rows = found.order_by(None).order_by(*order)
    if page.last is not None:
        return rows.where(_beyond(page.keys)).limit(limit)
    if page.skip < DEEP:
        return (rows.offset(bindparam("skip", type_=Integer)) if page.skip else rows).limit(limit)
    # what is skipped is read from an index alone, where there is one
    id = next(key.column for key in page.keys if key.name == "id")
    skipped = rows.with_only_columns(id, maintain_column_froms=True)
    skipped = skipped.offset(bindparam("skip", type_=Integer)).limit(limit)
    return rows.where(id.in_(skipped.subquery("ids").select()))


def _place(cursor: str, keys: Sequence[Key]) -> tuple[str, ...]:
    """The sort values of the row that a cursor stands for."""
    try:
        order, values = _signer().loads(cursor)
    except BadData:
        raise _wrong("cursor", "Not a cursor of this list; start again without it.") from None
    if order != _order(keys):
        raise _wrong("cursor", "This cursor belongs to another sort; keep sort as it was.")
    return tuple(values)


def _beyond(keys: Sequence[Key]) -> ColumnElement[bool]:
    """Rows behind the cursor's: (a, b) > (x, y) spelled out, since each key has its own way."""
    if len({key.descending for key in keys}) == 1:  # one way: walks straight on an index
        last, here = tuple_(*(key.last for key in keys)), tuple_(*(key.column for key in keys))
        return here < last if keys[0].descending else here > last
    steps = []
    for depth, key in enumerate(keys):
        same = [before.column == before.last for before in keys[:depth]]
        steps.append(and_(*same, key.beyond))
    return and_(keys[0].onwards, or_(*steps))  # the first is where an index can start


def _cursor(keys: Sequence[Key], values: Sequence[str]) -> str:
    return str(_signer().dumps([_order(keys), values]))


def _keys(order: str, columns: Columns) -> tuple[Key, ...]:
    names = ((word.removeprefix("-"), word.startswith("-")) for word in order.split(","))
    return tuple(Key(name, columns[name], descending) for name, descending in names)


def _order(keys: Sequence[Key]) -> str:
    return ",".join(("-" if key.descending else "") + key.name for key in keys)


def _signer() -> URLSafeSerializer:
    return _signing(*current_app.config["SECRET_KEY_FALLBACKS"], current_app.config["SECRET_KEY"])


@cache
def _signing(*keys: str) -> URLSafeSerializer:
    compact = {"ensure_ascii": False}  # a name of 255 emoji still fits into a request line
    return URLSafeSerializer(list(keys), salt="cursor", serializer_kwargs=compact)


def _wrong(field: str, message: str) -> Invalid:
    return Invalid([{"in": "query", "field": field, "code": "invalid", "message": message}])
