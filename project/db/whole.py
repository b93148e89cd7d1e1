"""Whoever works on the whole database holds one lock: migrations and restores alone, backups
beside each other.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from project.db.connections import LIMITS
from project.db.session import db

LOCK = 7215  # any number that nothing else here locks
PAUSE = 0.2  # seconds between two looks whether it is free


@contextmanager
def alone() -> Iterator[Connection]:
    """A connection that nobody gets afterwards, whatever was set or locked on it."""
    with db.engine.connect() as connection:
        try:
            yield connection
        finally:
            connection.invalidate()


@contextmanager
def whole_database(*, shared: bool = False) -> Iterator[Connection]:
    """A connection of its own that holds the lock to the end, in autocommit and without limits.

    Waits as long as it takes, by asking again and again: whoever waits inside a statement has a
    snapshot, and an index that is created concurrently would wait for that in turn.
    """
    ask = text(f"SELECT pg_try_advisory_lock{'_shared' if shared else ''}({LOCK})")
    with alone() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        for name in LIMITS:
            connection.exec_driver_sql(f"SET {name} = 0")
        while not connection.scalar(ask):
            time.sleep(PAUSE)
        connection.commit()  # says nothing to the server, but others may want another isolation
        yield connection
