"""The session, and the two ways to use it: `reading()` and `transaction()`, which alone commits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import TimeoutError as PoolTimeout

from project.db.models import Base
from project.db.rules import Duplicate
from project.errors import Unavailable

log = structlog.get_logger("project")

# Limits that live in the connection itself, so that no caller can forget them (milliseconds).
SERVER_SETTINGS = {
    "statement_timeout": 5_000,
    "lock_timeout": 2_000,
    "idle_in_transaction_session_timeout": 10_000,
    "TimeZone": "UTC",
}


class Session(FlaskSession):
    """While reading, statements run on an autocommit connection: no BEGIN, no ROLLBACK."""

    def get_bind(self, *args: Any, **kwargs: Any) -> Engine | Connection:
        bind = super().get_bind(*args, **kwargs)
        if self.info.get("reading") and isinstance(bind, Engine):
            return bind.execution_options(isolation_level="AUTOCOMMIT")
        return bind


db = SQLAlchemy(model_class=Base, disable_autonaming=True, session_options={"class_": Session})


def init_app(
    app: Flask, url: str, pool_size: int, before_connecting: Callable[[], object] | None = None
) -> None:
    """Bind the application to its database; nothing connects before the first question."""
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(pool_size)
    db.init_app(app)
    if before_connecting is None:
        return

    def prepare(*_: object) -> None:
        before_connecting()

    with app.app_context():
        event.listen(db.engine, "do_connect", prepare)


def engine_options(pool_size: int) -> dict[str, Any]:
    """One connection per request thread: a thread never waits for another's, unless one leaks."""
    options = " ".join(f"-c {name}={value}" for name, value in SERVER_SETTINGS.items())
    return {
        "pool_size": pool_size,
        "max_overflow": 0,
        "pool_timeout": 3,
        "connect_args": {
            "connect_timeout": 3,
            "application_name": "stockroom",
            "options": options,
        },
    }


@contextmanager
def transaction() -> Iterator[None]:
    """Commit what happens inside, or nothing of it; then log what was announced.

    Raising is rolling back. A broken unique rule is told which row stands in its way here,
    because a failed transaction cannot be asked anything.
    """
    session = db.session()
    session.info.update(reading=False, announced=[])
    try:
        with _pool_patience():
            yield
            session.commit()
    except Duplicate as refusal:
        session.rollback()
        if refusal.rival is not None and (row := session.execute(refusal.rival).mappings().first()):
            refusal.members["conflict"] = dict(row)
        session.rollback()
        raise
    except BaseException:
        session.rollback()
        raise
    for name, fields in session.info["announced"]:
        log.info(name, **fields)


@contextmanager
def reading() -> Iterator[None]:
    """Ask without a transaction; nothing inside is ever committed."""
    session = db.session()
    session.info["reading"] = True
    with _pool_patience():
        yield


def announce(name: str, /, **fields: Any) -> None:
    """Log an event with its fields once the transaction has committed, and only then."""
    db.session().info.setdefault("announced", []).append((name, fields))


@contextmanager
def _pool_patience() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("Every database connection is in use; try again.", code="busy") from error
