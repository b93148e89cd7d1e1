"""The verbs services speak: fetch, matching, save, revise, attempt, remove, sweep."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from sqlalchemy import (
    ColumnElement,
    ColumnExpressionArgument,
    Executable,
    FromClause,
    Row,
    Select,
    Update,
    delete,
    func,
    inspect,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, aliased

from project.db.models import Base, Item, ngrams
from project.db.session import db
from project.errors import NotFound, Stale

INT4 = 2**31 - 1
INT8 = 2**63 - 1
NOTHING = timedelta(0)
TRIGRAM = re.compile("[0-9A-Za-z]{3}")  # what pg_trgm can look up in every locale

Entity = TypeVar("Entity", bound=Base)
Kept = TypeVar("Kept", bound=Item)


def fetch(
    model: type[Entity], id: int, *, among: Select[Entity] | None = None, lock: bool = False
) -> Entity:
    """The row with this id; raises NotFound.

    among: where to look, if not everywhere; what lies outside is missing like any other.
    lock: read it as it is now, and hold it to the end; rows that refer to it may still be made.
    """
    lookup = Lookup(model, id, among)
    found: Entity | None = None
    if among is not None and lookup.possible:
        found = db.session.scalar(lookup.found)
    elif lookup.possible:
        held = {"key_share": True} if lock else None
        found = db.session.get(model, id, with_for_update=held, populate_existing=lock)
    if found is None:
        raise lookup.missing()
    return found


@dataclass(frozen=True)
class Lookup(Generic[Entity]):
    """A row that somebody asks for by its id, and is not read before it is answered.

    among: where to look, if not everywhere.
    """

    model: type[Entity]
    id: int
    among: Select[Entity] | None = None

    @property
    def possible(self) -> bool:
        """PostgreSQL would search the whole table for a number that no id can be."""
        return self.id <= INT8

    @property
    def found(self) -> Select[Entity]:
        everywhere = select(self.model) if self.among is None else self.among
        return everywhere.where(inspect(self.model).primary_key[0] == self.id)

    def missing(self) -> NotFound:
        return NotFound(f"{spoken(self.model)} with id {self.id} not found")


def spoken(model: type[Base]) -> str:
    """What a person calls one of them: `Purchase order` of PurchaseOrder."""
    return re.sub("(?<=[a-z])[A-Z]", lambda found: f" {found[0].lower()}", model.__name__)


class Shape(Hashable, Protocol):
    """How a statement shall answer a row that it writes: as a document, with its tag."""

    def of(
        self, source: FromClause, model: type[Base], known: Mapping[str, ColumnElement[Any]]
    ) -> Sequence[Any]:
        """The columns that `Written` consists of.

        known: what of the row, or its `tag`, the statement knows without asking for it.
        """


Answer = tuple[type[Base], Shape]  # which row, and how


class Written(NamedTuple):
    """A row as the document that is answered of it, and the tag of its state."""

    id: int
    document: bytes
    tag: str


def matching(q: str, *columns: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """Whether `q` is part of one of the columns, in any case; `%`, `_` and `\\` mean themselves."""
    return or_(*(_part(q, column) for column in columns))


def _part(q: str, column: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """The like of one column, spelled so that the index that has the answer is used, and no other.

    Trigrams are of the lower case; read for less than three letters they take longer than a scan.
    Pairs are asked for besides: the planner takes both conditions for independent, and so rather
    looks a term up than walks along all rows for what is in none.
    """
    literally = q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    pattern = f"%{literally}%"
    if TRIGRAM.search(q):
        return _lower(column).like(func.lower(pattern))
    like = column.ilike(pattern)
    common = len(q) == 1 and q.isascii()  # in nearly every text
    if common or not column.property.columns[0].info.get("ngrams"):
        return like
    return ngrams(column).contains(ngrams(literal(q), min(len(q), 2))) & like


@cache
def _lower(column: InstrumentedAttribute[str]) -> ColumnElement[str]:
    return func.lower(column)


def save(row: Entity) -> Entity:
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
    """Revise, unless the condition does not hold: then None, and the row is locked as it is."""
    changed = revision(model, values, *named(model, id, versions), condition)
    # by a CTE, since RETURNING leaves out what is computed of a row
    done = aliased(model, changed.returning(*inspect(model).local_table.c).cte("changed"))
    row = attempt(select(done), model, id, versions)
    return row and row[0]


def named(
    model: type[Item], id: int, versions: Collection[int] | None
) -> Sequence[ColumnElement[bool]]:
    """What picks the row with this id, in one of these versions."""
    return [model.id == id, *([] if versions is None else [model.version.in_(versions)])]


def revision(
    model: type[Item], values: Mapping[str, Any], *which: ColumnExpressionArgument[bool]
) -> Update:
    """The UPDATE that changes rows and counts their versions.

    `updated_at` is read with the row locked, and never goes back whatever the clock does.
    """
    now = func.greatest(func.clock_timestamp(), model.updated_at)
    changed = update(model).where(*which)
    return changed.values(**values, version=model.version + 1, updated_at=now)


def attempt(
    statement: Executable,
    model: type[Kept],
    id: int,
    versions: Collection[int] | None = None,
    judged: Callable[[Kept], Executable] | None = None,
) -> Row[Any] | None:
    """The row answered by a statement that changes row `id` if it may, else None.

    Condition and version are judged in the UPDATE itself, in one statement: whoever looks first
    and writes then lets two writers pass. Only a refusal asks more: it locks the row, and tries
    once again, for the row may have become what it must be between the two statements.
    Raises NotFound, and Stale for another version.

    judged: what is to be tried then, made of the row as it is locked.
    """
    fresh = {"populate_existing": True, "synchronize_session": False}
    if id <= INT8 and (done := db.session.execute(statement, execution_options=fresh).first()):
        return done
    row = locked(model, id, versions)
    again = statement if judged is None else judged(row)
    return db.session.execute(again, execution_options=fresh).first()


def locked(model: type[Kept], id: int, versions: Collection[int] | None = None) -> Kept:
    """The row, held to the end; raises NotFound, and Stale for another version."""
    row = fetch(model, id, lock=True)
    if versions is not None and row.version not in versions:
        changed = f"{spoken(model)} {row.id} has changed"
        raise Stale(f'{changed}, its ETag is "{row.tag}" now; read it again')
    return row


def remove(model: type[Kept], id: int, versions: Collection[int] | None = None) -> None:
    """Delete one row for good; raises NotFound, and Stale for another version."""
    statement = delete(model).where(*named(model, id, versions)).returning(model.id)
    if id > INT8 or db.session.scalar(statement) is None:
        locked(model, id, versions)
        db.session.execute(statement)


def sweep(key: Any, expires_at: Any, most: int, *, after: timedelta = NOTHING) -> int:
    """Delete some rows that have expired, wait for nobody who holds one, and say how many.

    key, expires_at: columns of a model or a table.
    after: how long after that instant.
    """
    expired = select(key).where(expires_at <= func.now() - after).limit(most)
    free = expired.with_for_update(skip_locked=True).scalar_subquery()
    gone = delete(key.table).where(key.in_(free))
    return db.session.connection().execute(gone).rowcount
