"""A page of a Select: by `skip` and `limit` with a total, or by cursor at any depth."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import marshmallow as ma
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    null,
    select,
)
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects.postgresql import ARRAY

from project.db import Counts, Passed, Spoken, ask, form
from project.db.prepared import Row
from project.http import documents, orders
from project.http.fields import Int, Text
from project.http.orders import Order
from project.http.schemas import Query, Schema

Columns = Mapping[str, ColumnElement[Any]]
PARAMETERS = ("skip", "limit", "cursor", "sort")
BREAK = b",\n"  # between two documents: none has such an end of a line
DEEP = 1000  # rows to leave out; from there on it pays to look for the ids first


def query_schema(query: type[Query], columns: orders.Columns, order: str) -> type[Query]:
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
        sort = orders.Sort(
            columns,
            load_default=orders.order(order, columns),
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

    order: Order
    limit: int
    skip: int = 0
    last: tuple[str, ...] | None = None

    @property
    def shape(self) -> tuple[Any, ...]:
        """What its statement depends on, but for values."""
        way = "after" if self.last else "deep" if self.skip >= DEEP else self.skip > 0
        return self.order.name, self.limit, way

    @property
    def values(self) -> dict[str, Any]:
        """Of the parameters of its statement."""
        if self.last is None:
            return {"skip": self.skip} if self.skip else {}
        return {
            key.parameter.key: value for key, value in zip(self.order.keys, self.last, strict=True)
        }


def read(
    found: Select[Any],
    schema: ma.Schema,
    counts: Counts,
    given: frozenset[str],
    *,
    limit: int,
    skip: int | None = None,
    cursor: str | None = None,
    sort: Order,
) -> tuple[bytes, bytes, bytes]:
    """The document of one page of what was found, in pieces.

    One row more than asked tells whether there is another page.
    given: the filters that were.
    """
    if cursor is not None and skip is not None:
        raise orders.wrong("cursor", "Send either cursor or skip.")
    page = Page(sort, limit, skip or 0, None if cursor is None else sort.place(cursor))
    told = None if cursor is not None else counts.told(given)

    rows, items, said, *last = _ask(found, schema, page, told, told is None or given)
    if more := rows > limit:
        items = items[: items.rindex(BREAK)]
    total: Any = "null"
    if cursor is None:  # a last page tells its own total
        ended = not more and (rows or not skip)
        total = page.skip + rows if ended else counts.total(found, given, said)
    onwards = f'"{sort.cursor(last)}"' if more else "null"
    start = "null" if cursor is not None else page.skip
    rest = f'],"total":{total},"skip":{start},"limit":{limit},"next_cursor":{onwards}}}'
    return b'{"items":[', items or b"", rest.encode()


def _ask(
    found: Select[Any],
    schema: ma.Schema,
    page: Page,
    told: ColumnElement[int] | None,
    given: Hashable,
) -> Row:
    """How many rows a page has, one more at the most; its items; and the place of the last.

    Another value may want another plan, and to plan all of it takes longer than to answer it. So
    where there are values, only the search for ids is planned anew, inside the same statement.
    """

    def of(rows: Select[Any]) -> Select[Any]:
        return _statement(rows, schema, page, told)

    how = schema, *page.shape, given
    known = form(found)
    if known is not None and known.model is not None and known.values:
        ids = Spoken(found, how, lambda found: _ids(_picked(found, page), page), page.values)
        row = ask(_every(known.model), (how, "ids"), lambda all: of(_these(all)), {"ids": ids})
    else:
        row = ask(found, how, lambda found: of(_picked(found, page)), page.values)
    assert row is not None  # because an aggregate always answers
    return row


@cache
def _every(model: Any) -> Select[Any]:
    return select(model)


def _ids(picked: Select[Any], page: Page) -> Select[Any]:
    return picked.with_only_columns(page.order.id, maintain_column_froms=True)


def _these(every: Select[Any]) -> Select[Any]:
    """The rows with the ids that a statement finds, in its order."""
    model = every.column_descriptions[0]["entity"]
    ids = func.ids_of(bindparam("ids", type_=SqlText), type_=ARRAY(BigInteger))
    found = func.unnest(ids).table_valued(column("id", BigInteger), with_ordinality="place")
    found = found.render_derived("found")
    return every.where(model.id == found.c.id).order_by(found.c.place)


def _statement(
    picked: Select[Any], schema: ma.Schema, page: Page, told: ColumnElement[int] | None
) -> Select[Any]:
    places = {f"place_{n}": key.column for n, key in enumerate(page.order.keys)}
    rows = documents.rows(picked, **places).subquery("page")
    document = documents.spelled(rows, picked, schema)
    items = func.string_agg(document, literal_column("E',\\n'", SqlText))
    last = literal_column(str(page.limit), Integer)
    ends = (cast(func.array_agg(rows.c[place])[last], SqlText) for place in places)
    columns: list[Any] = [func.count(), cast(items, Passed), null() if told is None else told]
    return select(*columns, *ends).select_from(rows)


def _picked(found: Select[Any], page: Page) -> Select[Any]:
    order = [key.order for key in page.order.keys]
    limit = literal_column(str(page.limit + 1), Integer)
    rows = found.order_by(None).order_by(*order)
    if page.last is not None:
        return rows.where(page.order.beyond()).limit(limit)
    if page.skip < DEEP:
        return (rows.offset(bindparam("skip", type_=Integer)) if page.skip else rows).limit(limit)
    # what is skipped is read from an index alone, where there is one
    skipped = _ids(rows, page).offset(bindparam("skip", type_=Integer)).limit(limit)
    return rows.where(page.order.id.in_(skipped.subquery("ids").select()))
