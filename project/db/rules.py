"""How the database says no: a constraint's own sentence, or a family chosen by SQLSTATE."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import psycopg2
from sqlalchemy import Engine, Select, Table, Text, cast, event, literal, select
from sqlalchemy.engine import ExceptionContext

from project import meters
from project.db.models import Base
from project.errors import Contended, InUse, Invalid, Refusal, Refused, Unavailable

BUSY = ("55P03", "57014", "40")  # lock and statement timeouts, other rollbacks
CONTENDED = ("40001", "40P01")  # serialization failures, deadlocks
NO_TABLE = "42P01"
UNIQUE = "23505"
FOREIGN = ("23503", "23001")  # the second says RESTRICT, from PostgreSQL 18 on
AWAY = ("08", "53", "57P", "25006", "25P03")  # lost, full, shutting down, standby


@dataclass(frozen=True)
class Rule:
    """What a constraint says when it is broken."""

    code: str
    sentence: str
    conflict: tuple[str, ...]
    kind: type[Refusal]


def rule(
    code: str, sentence: str, *, conflict: tuple[str, ...] = (), kind: type[Refusal] = Refused
) -> dict[str, Any]:
    """`info=` for a constraint or a foreign key: breaking it raises `kind` in these words.

    For a unique constraint of one column, and for a foreign key, `{column}` in the sentence is the
    value refused. `conflict` names the columns of the row in the way that the refusal carries
    along; with it, it is always Refused. Whoever deletes what a foreign key with a rule refers to
    is told InUse.
    """
    return {"rule": Rule(code, sentence, conflict, kind)}


class Duplicate(Refused):
    """A unique rule was broken; `rival` finds the row in the way once the transaction is over."""

    rival: Select[Any] | None = None


@event.listens_for(Engine, "handle_error")
def translate(context: ExceptionContext) -> None:
    """Raise the driver's complaint as one of the family; an unknown one stays a bug.

    Whatever ended a connection has ended the others too, most likely: no thread shall find out by
    itself, which may be long after.
    """
    error = context.original_exception
    if not isinstance(error, psycopg2.Error):
        return
    if context.is_disconnect and context.engine is not None:
        context.engine.dispose()
    if refusal := _refusal(error, context.is_disconnect):
        raise refusal from error
    _withhold_details(error, context.sqlalchemy_exception)


def refuse(error: psycopg2.Error) -> None:
    """The same for what the driver itself was asked."""
    if refusal := _refusal(error, isinstance(error, psycopg2.InterfaceError)):
        raise refusal from error
    _withhold_details(error, None)


@contextmanager
def refusing() -> Iterator[None]:
    """What the driver complains of inside, as `refuse` says it."""
    try:
        yield
    except psycopg2.Error as error:
        refuse(error)
        raise


def _withhold_details(error: psycopg2.Error, wrapped: Exception | None) -> None:
    """Let the log hear the first line only: what follows shows whole rows, hashes and all."""
    first = error.diag.message_primary or str(error).partition("\n")[0]
    error.args = (first,)
    if wrapped is not None:
        wrapped.args = (f"({type(error).__name__}) {first}",)


def _refusal(error: psycopg2.Error, disconnected: bool) -> Refusal | None:
    state = error.pgcode or ""
    broken, table = rules().get(error.diag.constraint_name or "", (None, None))
    if broken is not None and table is not None:
        return _broken(broken, table, state, error.diag.message_detail or "")
    if state in CONTENDED:
        meters.DATABASE_ERRORS.labels("contended").inc()
        return Contended()
    if state.startswith(BUSY):
        meters.DATABASE_ERRORS.labels("timeout").inc()
        return Unavailable("The database is busy; try again.", code="busy")
    if disconnected or state.startswith(AWAY) or _no_connection(error):
        meters.DATABASE_ERRORS.labels("away").inc()
        return Unavailable("The database is away; try again.")
    if state == NO_TABLE:
        sentence = "The database does not have this release's schema: run flask db upgrade."
        return Unavailable(sentence, code="wrong_schema")
    if state.startswith("22"):
        wrong = {"in": "body", "field": "", "code": "out_of_range"}
        return Invalid([{**wrong, "message": "A value does not fit the database."}])
    return None


def _no_connection(error: psycopg2.Error) -> bool:
    """The server was never reached, or fell silent in a COPY, so it gave no SQLSTATE."""
    silent = isinstance(error, psycopg2.OperationalError) or type(error) is psycopg2.DatabaseError
    return error.pgcode is None and silent


def _broken(broken: Rule, table: Table, state: str, detail: str) -> Refusal:
    """The constraint's sentence, with the value PostgreSQL names: `Key (name)=(Lamp) …`.

    Where that is none of the keys that refer to others, somebody deletes what they refer to.
    """
    key = re.match(r"[^(]*\((\w+)\)=\((.*)\)", detail, re.DOTALL)
    if key is None or state not in (UNIQUE, *FOREIGN):
        return broken.kind(broken.sentence, code=broken.code)
    column, value = key.groups()
    if state in FOREIGN and not (column in table.c and table.c[column].foreign_keys):
        return InUse()
    sentence = broken.sentence.format_map({column: value})
    if not broken.conflict:
        return broken.kind(sentence, code=broken.code)
    refusal = Duplicate(sentence, code=broken.code)
    columns = [table.c[name] for name in broken.conflict]
    taken = cast(literal(value, Text), table.c[column].type)  # it is spelled, whatever it is
    refusal.rival = select(*columns).where(table.c[column] == taken)
    return refusal


@cache
def rules() -> dict[str, tuple[Rule, Table]]:
    """Every rule by the name of its constraint, foreign key or unique index."""
    found = {}
    for table in Base.metadata.tables.values():
        kept = [(part, part.info) for part in (*table.constraints, *table.indexes)]
        keys = [(key.constraint, key.info) for key in table.foreign_keys]
        for part, info in (*kept, *keys):
            if "rule" in info:
                found[str(getattr(part, "name", ""))] = (info["rule"], table)
    return found
