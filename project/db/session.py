"""The session and the driver's connection, and the way to use them that never commits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import psycopg2
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from psycopg2 import extensions
from sqlalchemy import Connection, Engine, Executable, event, func, select
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from project.db.models import Base
from project.errors import Unavailable

# Limits that live in the connection itself, so that no caller can forget them (milliseconds).
LIMITS = {
    "statement_timeout": 5_000,
    "lock_timeout": 2_000,
    "idle_in_transaction_session_timeout": 10_000,
}
SERVER_SETTINGS = {
    **LIMITS,
    "TimeZone": "UTC",
    "plan_cache_mode": "force_generic_plan",  # see `prepared.py`: nothing else has a plan kept
}

db = SQLAlchemy(model_class=Base, disable_autonaming=True)

READING: ContextVar[bool] = ContextVar("reading", default=False)


class Driver(extensions.connection):
    """A connection of the driver, which knows what plans the server keeps for it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.plans: dict[str, str] = {}


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
        "pool_use_lifo": True,  # the one used last is the one whose plans and caches are warm
        "hide_parameters": True,  # a logged statement must not tell what was in it
        "connect_args": {
            "connection_factory": Driver,
            "connect_timeout": 3,
            "tcp_user_timeout": 10_000,  # milliseconds until a cut network is noticed
            "keepalives_idle": 30,
            "application_name": "stockroom",
            "client_encoding": "utf8",
            "options": options,
        },
    }


@contextmanager
def reading() -> Iterator[None]:
    """Ask without a transaction: one statement each, no BEGIN, no ROLLBACK, never a commit."""
    token = READING.set(True)
    try:
        with pool_patience():
            yield
    finally:
        READING.reset(token)
        if db.session.registry.has():
            db.session.rollback()  # says nothing to the server, but a transaction may follow


@contextmanager
def driver() -> Iterator[Driver]:
    """The driver's connection for a statement: the session's, so that it is in the transaction.

    Who only reads, and has no session yet, has one of the pool for as long as that takes.
    """
    bind = db.engine
    if READING.get() and isinstance(bind, Engine) and not _begun():
        pooled = bind.raw_connection()
        connection: Any = pooled.driver_connection
        connection.autocommit = True
        try:
            yield connection
        finally:
            if connection.closed:
                pooled.invalidate()
            pooled.close()
    else:
        session = db.session()
        session.flush()
        bound = session.connection()
        connection = bound.connection.driver_connection
        try:
            yield connection
        except psycopg2.Error:
            if connection.closed:
                bound.invalidate()
            raise


def _begun() -> bool:
    return db.session.registry.has() and db.session().in_transaction()


# The driver's own switch, because it says nothing to the server; SQLAlchemy's isolation level
# AUTOCOMMIT costs two more statements, and speaks on a connection that may be dead by then.
@event.listens_for(db.session, "after_begin")
def _no_transaction(session: Session, _: object, connection: Connection) -> None:
    if READING.get() and isinstance(session.get_bind(), Engine):
        driver: Any = connection.connection.driver_connection
        driver.autocommit = True


def _transactions_again(driver: Any, *_: object) -> None:
    if driver.autocommit and not driver.closed:
        driver.autocommit = False


def lift_limits() -> None:
    """To the end of the transaction, which may take longer than a request, or wait for its file."""
    for limit in LIMITS:
        db.session.execute(select(func.set_config(limit, "0", True)))


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
