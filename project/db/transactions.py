"""The ways to use the session: `reading()`, and `transaction()`, which alone commits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from random import uniform
from typing import Any, TypeVar

import structlog
from sqlalchemy import Executable, insert
from sqlalchemy.orm import Session

from project import logs
from project.db.outbox import EVENTS, happened
from project.db.rules import Duplicate, refusing
from project.db.session import READING, UNIT, Unit, begun, db, pool_patience
from project.errors import Contended, Refusal, Unavailable

log = structlog.get_logger("project")

PAUSES = (0.02, 0.1)  # seconds at most before the second try, and the third

Done = TypeVar("Done")


class reading(pool_patience):  # noqa: N801 - the same
    """Ask without a transaction: one statement each, no BEGIN, no ROLLBACK, never a commit."""

    def __enter__(self) -> None:
        self._before = READING.set(True)

    def __exit__(self, *raised: Any) -> None:
        READING.reset(self._before)
        if db.session.registry.has():
            db.session.rollback()  # says nothing to the server, but a transaction may follow
        super().__exit__(*raised)


@contextmanager
def transaction() -> Iterator[None]:
    """Commit what happens inside, or nothing of it; then do what was to follow.

    Raising is rolling back, but for a refusal that keeps what led to it. A broken unique rule is
    told which row stands in its way here, because a failed transaction cannot be asked anything.
    """
    unit = Unit()
    entered, read = UNIT.set(unit), READING.set(False)
    try:
        with pool_patience():
            with _keeping() as kept:
                yield
            _write_out(unit)
            _commit(unit)
    except Duplicate as refusal:
        abandon()
        _name_rival(refusal)
        abandon()
        raise
    except BaseException:
        abandon()
        raise
    finally:
        unit.close()
        UNIT.reset(entered)
        READING.reset(read)
    for action in unit.following:
        try:
            action()
        except Exception:  # the transaction is done: whatever follows can no longer refuse it
            log.exception("after_commit_failed")
    for each in kept:
        raise each


def abandon() -> None:
    """Undo what the transaction has done so far; it can be asked something once more."""
    if db.session.registry.has():
        db.session.rollback()
    if (unit := UNIT.get()) is not None:
        with refusing():
            unit.end("ROLLBACK")


def transacted(work: Callable[[], Done]) -> Done:
    """Do the work in a transaction, up to three times if others are in its way.

    A connection lost at the commit is no reason to try again: nobody knows the outcome.
    """
    for pause in PAUSES:
        try:
            with transaction():
                return work()
        except Contended:
            time.sleep(uniform(0, pause))  # no secret # nosec B311
    with transaction():
        return work()


@contextmanager
def savepoint() -> Iterator[None]:
    """Within a transaction: keep what happens inside, or nothing of it, and go on.

    As there, raising is undoing, but for a refusal that keeps what led to it.
    """
    unit = UNIT.get() or Unit()
    before = [(told, len(told)) for told in (unit.following, unit.announced)]
    try:
        with db.session.begin_nested(), _keeping() as kept:
            yield
    except Exception as refusal:
        for told, length in before:
            del told[length:]
        if isinstance(refusal, Duplicate):
            _name_rival(refusal)
        raise
    for each in kept:
        raise each


class _keeping:  # noqa: N801 - as `reading`
    """A refusal that keeps what led to it is put off until that is kept."""

    def __enter__(self) -> list[Refusal]:
        self._kept: list[Refusal] = []
        return self._kept

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        if not isinstance(error, Refusal) or not error.keeps:
            return False
        self._kept.append(error)
        return True


def _write_out(unit: Unit) -> None:
    """Write what was announced into the outbox: it is there if and only if the change is."""
    if unit.announced:
        db.session.execute(insert(EVENTS).inline(), unit.announced)


def _commit(unit: Unit) -> None:
    """A connection lost now has an unknown outcome: who just tries again may do it twice."""
    try:
        if begun() or unit.pooled is None:
            db.session.commit()
        with refusing():
            unit.end("COMMIT")
    except Unavailable as refusal:
        if refusal.code != "unavailable":
            raise
        sentence = "The connection was lost at the commit: read whether this was done."
        raise Unavailable(sentence, code="outcome_unknown") from refusal


def _name_rival(refusal: Duplicate) -> None:
    """Let the refusal name the row in the way, once what failed is rolled back."""
    if refusal.rival is not None and (row := db.session.execute(refusal.rival).mappings().first()):
        refusal.members["conflict"] = dict(row)
    refusal.rival = None


def aside(statement: Executable) -> None:
    """Run a statement on a connection of its own: all see it while the transaction goes on."""
    with pool_patience(), Session(db.engine) as session, session.begin():
        session.execute(statement)


def after_commit(action: Callable[[], object]) -> None:
    """Do this once the transaction has committed, and only then."""
    if (unit := UNIT.get()) is not None:
        unit.following.append(action)


def note(name: str, /, **fields: Any) -> None:
    """Log a line after the commit."""
    after_commit(partial(logs.tell, name, fields))


def announce(name: str, /, **fields: Any) -> None:
    """Tell of a change: an event in its transaction, and a line of the log after the commit."""
    if (unit := UNIT.get()) is not None:
        unit.announced.append(happened(name, fields))
    note(name, **fields)
