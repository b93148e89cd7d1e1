"""The session, and the ways to use it: `reading()`, and `transaction()`, which alone commits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from random import uniform
from typing import Any, TypeVar

import structlog
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, Executable, event, func, insert, select
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from project.db.models import Base
from project.db.outbox import EVENTS, happened
from project.db.rules import Duplicate
from project.errors import Contended, Refusal, Unavailable

log = structlog.get_logger("project")

# Limits that live in the connection itself, so that no caller can forget them (milliseconds).
SERVER_SETTINGS = {
    "statement_timeout": 5_000,
    "lock_timeout": 2_000,
    "idle_in_transaction_session_timeout": 10_000,
    "TimeZone": "UTC",
}


PAUSES = (0.02, 0.1)  # seconds at most before the second try, and the third

Done = TypeVar("Done")

db = SQLAlchemy(model_class=Base, disable_autonaming=True)


def init_app(
    app: Flask, url: str, threads: int, before_connecting: Callable[[], object] | None = None
) -> None:
    """Bind the application to its database; nothing connects before the first question.

    A connection per thread, so that none waits for another's; and two for a worker, which does
    chores beside its jobs and tells how far they are.
    """
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(threads + 2)
    db.init_app(app)

    with app.app_context():
        listen_before_connecting(db.engine, before_connecting)
        event.listen(db.engine, "reset", _transactions_again)


def listen_before_connecting(engine: Engine, action: Callable[[], object] | None) -> None:
    """Do this, if anything, before each new connection of an engine."""

    def prepare(*_: object) -> None:  # what a listener answers would be taken for the connection
        if action is not None:
            action()

    event.listen(engine, "do_connect", prepare)


def engine_options(pool_size: int) -> dict[str, Any]:
    """Connections are opened as they are needed, and not one more than so many."""
    options = " ".join(f"-c {name}={value}" for name, value in SERVER_SETTINGS.items())
    return {
        "pool_size": pool_size,
        "max_overflow": 0,
        "pool_timeout": 3,
        "hide_parameters": True,  # a logged statement must not tell what was in it
        "connect_args": {
            "connect_timeout": 3,
            "tcp_user_timeout": 10_000,  # milliseconds until a cut network is noticed
            "keepalives_idle": 30,
            "application_name": "stockroom",
            "client_encoding": "utf8",
            "options": options,
        },
    }


@contextmanager
def transaction() -> Iterator[None]:
    """Commit what happens inside, or nothing of it; then do what was to follow.

    Raising is rolling back, but for a refusal that keeps what led to it. A broken unique rule is
    told which row stands in its way here, because a failed transaction cannot be asked anything.
    """
    session = db.session()
    session.info.update(reading=False, following=[], announced=[])
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
    for action in session.info["following"]:
        try:
            action()
        except Exception:  # the transaction is done: whatever follows can no longer refuse it
            log.exception("after_commit_failed")
    if kept is not None:
        raise kept


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


@contextmanager
def reading() -> Iterator[None]:
    """Ask without a transaction: one statement each, no BEGIN, no ROLLBACK, never a commit."""
    session = db.session()
    session.info["reading"] = True
    try:
        with pool_patience():
            yield
    finally:
        session.rollback()  # says nothing to the server, but a transaction may follow


# The driver's own switch, because it says nothing to the server; SQLAlchemy's isolation level
# AUTOCOMMIT costs two more statements, and speaks on a connection that may be dead by then.
@event.listens_for(db.session, "after_begin")
def _no_transaction(session: Session, _: object, connection: Connection) -> None:
    if session.info.get("reading") and isinstance(session.get_bind(), Engine):
        driver: Any = connection.connection.driver_connection
        driver.autocommit = True


def _transactions_again(driver: Any, *_: object) -> None:
    if driver.autocommit and not driver.closed:
        driver.autocommit = False


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


def lift_limits() -> None:
    """To the end of the transaction, which may take longer than a request, or wait for its file."""
    for limit in SERVER_SETTINGS:
        if limit.endswith("_timeout"):
            db.session.execute(select(func.set_config(limit, "0", True)))


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


def aside(statement: Executable) -> None:
    """Run a statement on a connection of its own: all see it while the transaction goes on."""
    with pool_patience(), Session(db.engine) as session, session.begin():
        session.execute(statement)


@contextmanager
def pool_patience() -> Iterator[None]:
    """Whoever waits in vain for a connection is told to come again."""
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("Every database connection is in use; try again.", code="busy") from error
