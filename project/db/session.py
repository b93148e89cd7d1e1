"""The session, the driver's connection, and what is said to the server when one is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from json import JSONEncoder
from threading import local
from typing import Any

import flask_sqlalchemy.session
import psycopg2
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from psycopg2 import extensions
from sqlalchemy import (
    Connection,
    Engine,
    Pool,
    PoolProxiedConnection,
    event,
    func,
    select,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from config import NAME
from project.db.models import Base
from project.db.rules import refuse
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
    # what is new since a search index was put in order is read by every search, and put in order
    # by whoever fills this up: a few milliseconds, where the server's 4MB would be a hundred
    "gin_pending_list_limit": "256kB",
}

BEGIN = "BEGIN; "
COMPACT = JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Own(local):
    """What each thread has: the connection that it keeps, and the pool that it came from."""

    kept: tuple[Pool | None, PoolProxiedConnection] | None = None


OWN = Own()

READING: ContextVar[bool] = ContextVar("reading", default=False)
UNIT: ContextVar[Unit | None] = ContextVar("unit", default=None)


@dataclass
class Unit:
    """A transaction under way: its connection, where the session has not begun one of its own.

    following: what is to be done after the commit; announced: events to be written before it.

    BEGIN goes along with the first statement, and the driver, which would send it alone, is told of
    none: so COMMIT and ROLLBACK are said here too.
    """

    following: list[Callable[[], object]] = field(default_factory=list)
    announced: list[dict[str, Any]] = field(default_factory=list)
    pooled: PoolProxiedConnection | None = None
    pool: Pool | None = None
    bound: Connection | None = None

    def open(self, engine: Engine) -> PoolProxiedConnection:
        """A connection whose next statement begins the transaction; nobody else finds it."""
        self.pooled = own(engine)
        self.pool, OWN.kept = engine.pool, None
        connection: Any = self.pooled.dbapi_connection
        connection.first = BEGIN
        return self.pooled

    def end(self, how: str) -> None:
        """COMMIT or ROLLBACK what has begun on it, if anything has; one that is lost is let go."""
        if (connection := self._driver()) is None:
            self.close()
            return
        if connection.get_transaction_status() != extensions.TRANSACTION_STATUS_IDLE:
            connection.cursor().execute(how)
        connection.first = BEGIN

    def join(self, engine: Engine) -> Connection:
        """The same transaction for the session."""
        if self.bound is None:
            self.bound = Connection(engine, connection=self.pooled)
        if (connection := self._driver()) is not None and connection.first:
            connection.cursor().execute(connection.first)
            connection.first = ""
        return self.bound

    def close(self) -> None:
        """Give the connection back to its thread, if it is as it was."""
        pooled, connection = self.pooled, self._driver()
        self.bound = self.pooled = None
        if pooled is None or connection is None:
            return
        connection.first = ""
        idle = connection.get_transaction_status() == extensions.TRANSACTION_STATUS_IDLE
        if idle and OWN.kept is None:
            OWN.kept = self.pool, pooled
        else:
            connection.close()

    def _driver(self) -> Driver | None:
        """The driver's connection, as long as it is not lost."""
        if self.pooled is None or not self.pooled.is_valid:
            return None
        connection: Any = self.pooled.dbapi_connection
        return None if connection.closed else connection


class Joined(flask_sqlalchemy.session.Session):
    """The session, which goes on where a statement of the driver's has begun the transaction."""

    def get_bind(self, *args: Any, **kwargs: Any) -> Engine | Connection:
        unit = UNIT.get()
        if unit is None or unit.pooled is None:
            return super().get_bind(*args, **kwargs)
        return unit.join(db.engine)


db = SQLAlchemy(model_class=Base, disable_autonaming=True, session_options={"class_": Joined})


class Driver(extensions.connection):
    """A connection of the driver, which knows what plans the server keeps for it.

    first: what is to be said before the next statement, in the same message.
    """

    first = ""

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
        "json_serializer": COMPACT.encode,  # as documents are written: what is kept is answered
        "hide_parameters": True,  # a logged statement must not tell what was in it
        "connect_args": {
            "connection_factory": Driver,
            "connect_timeout": 3,
            "tcp_user_timeout": 10_000,  # milliseconds until a cut network is noticed
            "keepalives_idle": 30,
            "application_name": NAME,
            "client_encoding": "utf8",
            "options": options,
        },
    }


class Asking:
    """The driver's connection for a statement: the session's, if that has begun.

    Else the one of the transaction, which the session would go on with; and who only reads has the
    one that its thread keeps for that. One that is lost is not kept, nor given back.
    Raises what the database refuses.
    """

    held: Connection | PoolProxiedConnection | None = None
    connection: Any = None

    def __enter__(self) -> Driver:
        try:
            self.connection = self._find()
        except psycopg2.Error as error:  # no connection
            refuse(error)
            raise
        connection: Driver = self.connection
        return connection

    def _find(self) -> Any:
        engine, unit = db.engine, UNIT.get()
        alone = isinstance(engine, Engine) and not begun()
        if alone and READING.get():
            return own(engine).dbapi_connection
        if alone and unit is not None:
            self.held = unit.pooled or unit.open(engine)
            return self.held.dbapi_connection
        db.session().flush()
        self.held = db.session().connection()
        return self.held.connection.dbapi_connection

    def __exit__(self, _: Any, error: BaseException | None, __: Any) -> None:
        if self.connection.closed:
            db.engine.dispose()  # whatever ended it has ended the others too, most likely
            if self.held is not None:
                self.held.invalidate()
        if isinstance(error, psycopg2.Error):
            refuse(error)


def own(engine: Engine) -> PoolProxiedConnection:
    """The connection that this thread keeps; between two transactions it is in none."""
    kept = OWN.kept
    if kept is not None and kept[0] is engine.pool:  # `dispose` makes a new pool
        driver: Any = kept[1].dbapi_connection
        if driver is not None and not driver.closed:
            return kept[1]
    pooled = engine.raw_connection()
    driver = pooled.dbapi_connection
    pooled.detach()  # from the pool, which opens another when it needs one
    driver.autocommit = True
    OWN.kept = engine.pool, pooled
    return pooled


def begun() -> bool:
    """Whether the session has a transaction."""
    return db.session.registry.has() and db.session().in_transaction()


# The driver's own switch, because it says nothing to the server; SQLAlchemy's isolation level
# AUTOCOMMIT costs two more statements, and speaks on a connection that may be dead by then.
@event.listens_for(db.session, "after_begin")
def _no_transaction(session: Session, _: object, connection: Connection) -> None:
    if READING.get() and isinstance(session.get_bind(), Engine):
        driver: Any = connection.connection.dbapi_connection
        driver.autocommit = True


def _transactions_again(driver: Any, *_: object) -> None:
    if driver.autocommit and not driver.closed:
        driver.autocommit = False


def lift_limits() -> None:
    """To the end of the transaction, which may take longer than a request, or wait for its file."""
    lifted = {**dict.fromkeys(LIMITS, "0"), "gin_pending_list_limit": "4MB"}
    db.session.execute(select(*(func.set_config(*each, True) for each in lifted.items())))


@contextmanager
def pool_patience() -> Iterator[None]:
    """Whoever waits in vain for a connection is told to come again."""
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("Every database connection is in use; try again.", code="busy") from error
