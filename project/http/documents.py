"""Documents that PostgreSQL writes, byte for byte as their schema would dump them.

The fields of a schema are columns of a row, each spelled by its field; what is only read to be
answered never becomes objects here. A house test compares both for every schema answered so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import marshmallow as ma
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Label,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    inspect,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import aliased
from sqlalchemy.sql.selectable import LateralFromClause

from project.db import Lookup, Passed, Prepared, Written, ask
from project.http.fields import Value

COMMA, OPENED, CLOSED = (literal_column(f"'{sign}'", Text) for sign in ",[]")
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

    def of(
        self, source: FromClause, model: Any, known: Further
    ) -> tuple[FromClause, Sequence[Any]]:
        """The members beside each row, and the columns of what is written."""
        row = aliased(model, source)
        document = _beside(source, row, self.schema, known)
        return document, (row.id, cast(spelled(document), Passed), known.get("tag", row.tag))


def rows(found: Select[Any], **keys: ColumnElement[Any]) -> Select[Any]:
    """The same rows with all columns of their model, those that the Select adds, and `keys`."""
    model, further = _read(found)
    columns = *inspect(model).local_table.c, *further.values()
    labelled = (column.label(name) for name, column in keys.items())
    return found.with_only_columns(*columns, *labelled, maintain_column_froms=True)


def beside(source: FromClause, found: Select[Any], schema: ma.Schema) -> LateralFromClause:
    """The document's members beside each row of `source`, as columns."""
    model, further = _read(found)
    columns = {name: source.c[name] for name in further}
    return _beside(source, aliased(model, source), schema, columns)


def _beside(source: FromClause, row: Any, schema: ma.Schema, further: Further) -> LateralFromClause:
    """As there, of an entity; `further` are fields that are not asked of it."""
    members = _members(schema, row, source, further)
    return select(*members).correlate(source).lateral("document")


def spelled(document: Any) -> ColumnElement[str]:
    """The JSON of members that are columns, without a blank between them."""
    return cast(func.row_to_json(document.table_valued()), Text)


@cache
def _by_id(model: Any, schema: ma.Schema) -> Prepared:
    found: Select[Any] = select(model)
    return Prepared(_one(found.where(inspect(model).primary_key[0] == bindparam("id")), schema))


def _one(found: Select[Any], schema: ma.Schema) -> Select[Any]:
    row = rows(found).subquery("row")
    model, further = _read(found)
    document, columns = Shape(schema).of(row, model, {name: row.c[name] for name in further})
    return select(*columns).select_from(row.join(document, true()))


def _read(found: Select[Any]) -> tuple[Any, dict[str, ColumnElement[Any]]]:
    """What a Select finds: its model, and columns of other names beside it."""
    [entity, *others] = found.column_descriptions
    return entity["entity"], {other["name"]: other["expr"] for other in others}


def _members(schema: ma.Schema, row: Any, source: FromClause, further: Further) -> list[Label[Any]]:
    return [
        _member(field, name, row, source, further).label(field.data_key or name)
        for name, field in schema.dump_fields.items()
    ]


def _member(
    field: ma.fields.Field[Any], name: str, row: Any, source: FromClause, further: Further
) -> ColumnElement[Any]:
    column = further[name] if name in further else getattr(row, field.attribute or name)
    if isinstance(field, Value):
        return field.sql(column)
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
    members = _members(schema, other, source, {})
    found = select(*members).where(and_(*joined)).correlate(source)
    document = found.order_by(*orders).subquery("related")
    if not many:
        return select(func.row_to_json(document.table_valued())).scalar_subquery()
    listed = func.string_agg(spelled(document), COMMA)
    return select(cast(func.concat(OPENED, listed, CLOSED), JSON)).scalar_subquery()


def _attribute(entity: Any, mapper: Any, column: Any) -> Any:
    return getattr(entity, mapper.get_property_by_column(column).key)
