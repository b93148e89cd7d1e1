"""Documents that PostgreSQL writes, byte for byte as their schema would dump them.

The fields of a schema are columns of a row, each spelled by its field; what is only read to be
answered never becomes objects here. A house test compares both for every schema answered so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import marshmallow as ma
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    inspect,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import aliased

from project.db import Lookup, Passed, Prepared, Written, ask
from project.http.fields import Value
from project.http.fields.value import NULL, constant

COMMA, OPENED, CLOSED = map(constant, ",[]")
MOST = 40  # members that are put together at once: a function of PostgreSQL takes 100 arguments
Further = Mapping[str, ColumnElement[Any]]


def find(lookup: Lookup[Any], schema: ma.Schema) -> Written:
    """The document of the row that is looked for; raises NotFound."""
    row = None
    model: Any = lookup.model
    if lookup.possible:
        if lookup.among is None:
            row = _by_id(model, schema).first({"id": lookup.id})
        else:
            row = ask(lookup.found, schema, lambda found: _one(found, schema), {})
    if row is None:
        raise lookup.missing()
    return Written(*row)


@dataclass(frozen=True)
class Shape:
    """How the statements of services answer what they write: as documents of a schema."""

    schema: ma.Schema

    def of(self, source: FromClause, model: Any, known: Further) -> Sequence[Any]:
        """The columns of what is written."""
        row = aliased(model, source)
        document = _object(self.schema, row, source, known)
        return row.id, cast(document, Passed), known.get("tag", row.tag)


def rows(found: Select[Any], **keys: ColumnElement[Any]) -> Select[Any]:
    """The same rows with all columns of their model, those that the Select adds, and `keys`."""
    model, further = _read(found)
    columns = *inspect(model).local_table.c, *further.values()
    labelled = (column.label(name) for name, column in keys.items())
    return found.with_only_columns(*columns, *labelled, maintain_column_froms=True)


def spelled(source: FromClause, found: Select[Any], schema: ma.Schema) -> ColumnElement[str]:
    """The document of each row of `source`: JSON without a blank."""
    model, further = _read(found)
    known = {name: source.c[name] for name in further}
    return _object(schema, aliased(model, source), source, known)


@cache
def _by_id(model: Any, schema: ma.Schema) -> Prepared:
    found: Select[Any] = select(model)
    return Prepared(_one(found.where(inspect(model).primary_key[0] == bindparam("id")), schema))


def _one(found: Select[Any], schema: ma.Schema) -> Select[Any]:
    row = rows(found).subquery("row")
    model, further = _read(found)
    return select(*Shape(schema).of(row, model, {name: row.c[name] for name in further}))


def _read(found: Select[Any]) -> tuple[Any, dict[str, ColumnElement[Any]]]:
    """What a Select finds: its model, and columns of other names beside it."""
    [entity, *others] = found.column_descriptions
    return entity["entity"], {other["name"]: other["expr"] for other in others}


def _object(
    schema: ma.Schema, row: Any, source: FromClause, further: Further
) -> ColumnElement[str]:
    """The members put together by hand, since PostgreSQL's own functions find out for each row anew
    how each type is spelled; `further` are fields that are not asked of the row.
    """
    pieces: list[ColumnElement[Any]] = []
    for name, field in schema.dump_fields.items():
        key = json.dumps(field.data_key or name, ensure_ascii=False)
        value = _member(field, name, row, source, further)
        pieces += constant(f"{',' if pieces else '{'}{key}:"), value
    pieces.append(constant("}" if pieces else "{}"))
    groups = [pieces[at : at + 2 * MOST] for at in range(0, len(pieces), 2 * MOST)]
    first, *others = (func.concat(*group, type_=Text) for group in groups)
    return func.concat(first, *others, type_=Text) if others else first


def _member(
    field: ma.fields.Field[Any], name: str, row: Any, source: FromClause, further: Further
) -> ColumnElement[Any]:
    if name in further:  # it may be null though its column is not, where it has been joined
        column: Any = type_coerce(further[name], further[name].type)
    else:
        column = getattr(row, field.attribute or name)
    if isinstance(field, Value):
        return field.json(column)
    many = isinstance(field, ma.fields.List)
    nested: Any = field.inner if isinstance(field, ma.fields.List) else field
    return _related(column.property, nested.schema, row, source, many=many)


def _related(
    relation: Any, schema: ma.Schema, row: Any, source: FromClause, *, many: bool
) -> ColumnElement[Any]:
    """The document of the row, or of the rows, on the other side of a relationship."""
    model, other = relation.mapper, aliased(relation.mapper.class_)
    joined = [
        _attribute(row, relation.parent, here) == _attribute(other, model, there)
        for here, there in relation.local_remote_pairs
    ]
    orders = [_attribute(other, model, column) for column in relation.order_by or ()]
    document = _object(schema, other, source, {})
    if not many:
        found = select(document).where(and_(*joined)).correlate(source)
        return func.coalesce(found.scalar_subquery(), NULL, type_=Text)
    separator = aggregate_order_by(COMMA, *orders) if orders else COMMA
    listed = select(func.string_agg(document, separator)).where(and_(*joined)).correlate(source)
    return func.concat(OPENED, listed.scalar_subquery(), CLOSED)


def _attribute(entity: Any, mapper: Any, column: Any) -> Any:
    return getattr(entity, mapper.get_property_by_column(column).key)
