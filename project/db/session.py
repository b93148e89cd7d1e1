"""The session, and the transaction that it shares with statements of the driver's."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
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

from project import meters
from project.db.connections import (
    LIMITS,
    Driver,
    engine_options,
    give_back,
    own,
    prepare,
    take,
)
from project.db.models import Base
from project.db.rules import refuse, refusing
from project.errors import Unavailable

BEGIN = "BEGIN; "
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
        self.pooled, self.pool = take(engine), engine.pool
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
            with refusing():
                connection.cursor().execute(connection.first)
            connection.first = ""
        return self.bound

    def close(self) -> None:
        """Give the connection back to its thread, if it is as it was."""
        pooled, pool, connection = self.pooled, self.pool, self._driver()
        self.bound = self.pooled = None
        if pooled is not None and pool is not None and connection is not None:
            connection.first = ""
            give_back(pool, pooled)

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
        prepare(db.engine, "requests", before_connecting)
        meters.POOL_MAX.labels("requests").set(threads + 2)
        event.listen(db.engine, "reset", _transactions_again)


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
            db.engine.dispose()  # as `translate` does
            if self.held is not None:
                self.held.invalidate()
        if isinstance(error, psycopg2.Error):
            refuse(error)


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


class pool_patience:  # noqa: N801 - because it is used as one, like those of contextlib
    """Whoever waits in vain for a connection inside is told to come again."""

    def __enter__(self) -> None:
        """Nothing is done before."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, PoolTimeout):
            meters.DATABASE_ERRORS.labels("pool_timeout").inc()
            sentence = "Every database connection is in use; try again."
            raise Unavailable(sentence, code="busy") from error
