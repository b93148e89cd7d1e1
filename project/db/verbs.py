"""The verbs services speak: fetch, matching, save, revise, remove."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, ColumnExpressionArgument, delete, func, or_, true, update
from sqlalchemy.orm import InstrumentedAttribute

from project.db.models import Base, Item
from project.db.session import db
from project.errors import NotFound, Stale

INT4 = 2**31 - 1
INT8 = 2**63 - 1

Row = TypeVar("Row", bound=Base)
Kept = TypeVar("Kept", bound=Item)


def fetch(model: type[Row], id: int, *, lock: bool = False) -> Row:
    """The row with this id, as it is now and held to the end if `lock`; raises NotFound."""
    found = None
    if id <= INT8:
        found = db.session.get(model, id, with_for_update=lock or None, populate_existing=lock)
    if found is None:
        raise NotFound(f"{model.__name__} with id {id} not found")
    return found


def matching(q: str, *columns: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """Whether `q` is part of one of the columns, in any case; `%`, `_` and `\\` mean themselves."""
    literal = q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return or_(*(column.ilike(f"%{literal}%") for column in columns))


def save(row: Row) -> Row:
    """Insert now, so that rules speak here; the row comes back with all the server made up."""
    db.session.add(row)
    db.session.flush()
    return row


def revise(
    model: type[Kept], id: int, values: Mapping[str, Any], versions: Collection[int] | None = None
) -> Kept:
    """Change one row and count its version; raises NotFound, and Stale for another version."""
    revised = revise_if(true(), model, id, values, versions)
    assert revised is not None  # because a row that is there, and ours, has nothing to refuse
    return revised


def revise_if(
    condition: ColumnExpressionArgument[bool],
    model: type[Kept],
    id: int,
    values: Mapping[str, Any],
    versions: Collection[int] | None = None,
) -> Kept | None:
    """Revise, unless the condition does not hold: then None, and the row is locked as it is.

    Condition and version are judged in the UPDATE itself, in one statement: whoever looks first
    and writes then lets two writers pass. Only a refusal asks more: it locks the row, and tries
    once again, for the row may have become what it must be between the two statements.
    """
    named = [model.id == id, *([] if versions is None else [model.version.in_(versions)])]
    statement = (
        update(model)
        .where(*named, condition)
        .values(**values, version=model.version + 1, updated_at=func.now())
        .returning(model)
        .execution_options(populate_existing=True, synchronize_session=False)
    )
    revised: Kept | None = db.session.scalar(statement) if id <= INT8 else None
    if revised is None:
        _compare(fetch(model, id, lock=True), versions)
        revised = db.session.scalar(statement)
    return revised


def remove(model: type[Kept], id: int, versions: Collection[int] | None = None) -> None:
    """Delete one row for good; raises NotFound, and Stale for another version."""
    row = fetch(model, id, lock=True)
    _compare(row, versions)
    db.session.execute(delete(model).where(model.id == id))


def _compare(row: Item, versions: Collection[int] | None) -> None:
    """The version of a row that is locked, so that what is found stays so."""
    if versions is not None and row.version not in versions:
        kind, tag = type(row).__name__, f'"{row.id}-{row.version}"'
        raise Stale(f"{kind} {row.id} has changed, its ETag is {tag} now; read it again")
