"""`transaction()`, which alone commits; and what happens with the commit, or after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from random import uniform
from typing import Any, TypeVar

import structlog
from sqlalchemy import insert
from sqlalchemy.orm import Session

from project.db.outbox import EVENTS, happened
from project.db.rules import Duplicate
from project.db.session import READING, db, pool_patience
from project.errors import Contended, Refusal, Unavailable

log = structlog.get_logger("project")

PAUSES = (0.02, 0.1)  # seconds at most before the second try, and the third

Done = TypeVar("Done")


@contextmanager
def transaction() -> Iterator[None]:
    """Commit what happens inside, or nothing of it; then do what was to follow.

    Raising is rolling back, but for a refusal that keeps what led to it. A broken unique rule is
    told which row stands in its way here, because a failed transaction cannot be asked anything.
    """
    session = db.session()
    session.info.update(following=[], announced=[])
    before = READING.set(False)
    kept: Refusal | None = None
    try:
        with pool_patience():
            try:
                yield
            except Refusal as refusal:
                if not refusal.keeps:
                    raise
                kept = refusal
            _post(session)
            _commit(session)
    except Duplicate as refusal:
        session.rollback()
        _name_rival(session, refusal)
        session.rollback()
        raise
    except BaseException:
        session.rollback()
        raise
    finally:
        READING.reset(before)
    for action in session.info["following"]:
        try:
            action()
        except Exception:  # the transaction is done: whatever follows can no longer refuse it
            log.exception("after_commit_failed")
    if kept is not None:
        raise kept


def abandon() -> None:
    """Undo what the transaction has done so far, so that it can be asked something once more."""
    db.session.rollback()


def transacted(work: Callable[[], Done]) -> Done:
    """Do the work in a transaction, up to three times if others are in its way.

    A connection lost at the commit is no reason to try again: nobody knows the outcome.
    """
    for pause in PAUSES:
        try:
            with transaction():
                return work()
        except Contended:
            time.sleep(uniform(0, pause))
    with transaction():
        return work()


@contextmanager
def savepoint() -> Iterator[None]:
    """Within a transaction: keep what happens inside, or nothing of it, and go on.

    As there, raising is undoing, but for a refusal that keeps what led to it.
    """
    session = db.session()
    before = {name: len(session.info[name]) for name in ("following", "announced")}
    kept: Refusal | None = None
    try:
        with session.begin_nested():
            try:
                yield
            except Refusal as refusal:
                if not refusal.keeps:
                    raise
                kept = refusal
    except Exception as refusal:
        for name, length in before.items():
            del session.info[name][length:]
        if isinstance(refusal, Duplicate):
            _name_rival(session, refusal)
        raise
    if kept is not None:
        raise kept


def _post(session: Session) -> None:
    """Write what was announced into the outbox: it is there if and only if the change is."""
    if session.info["announced"]:
        session.execute(insert(EVENTS).inline(), session.info["announced"])


def _commit(session: Any) -> None:
    """A connection lost now has an unknown outcome: who just tries again may do it twice."""
    try:
        session.commit()
    except Unavailable as refusal:
        if refusal.code != "unavailable":
            raise
        sentence = "The connection was lost at the commit: read whether this was done."
        raise Unavailable(sentence, code="outcome_unknown") from refusal


def _name_rival(session: Session, refusal: Duplicate) -> None:
    """Let the refusal name the row in the way, once what failed is rolled back."""
    if refusal.rival is not None and (row := session.execute(refusal.rival).mappings().first()):
        refusal.members["conflict"] = dict(row)
    refusal.rival = None


def after_commit(action: Callable[[], object]) -> None:
    """Do this once the transaction has committed, and only then."""
    db.session().info.setdefault("following", []).append(action)


def note(name: str, /, **fields: Any) -> None:
    """Log a line after the commit."""
    after_commit(partial(log.info, name, **fields))


def announce(name: str, /, **fields: Any) -> None:
    """Tell of a change: an event in its transaction, and a line of the log after the commit."""
    db.session().info.setdefault("announced", []).append(happened(name, fields))
    note(name, **fields)
