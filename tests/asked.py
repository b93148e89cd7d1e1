"""What the database is asked, by SQLAlchemy or by the driver itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg2 import extensions

UNSAID = ("SAVEPOINT", "RELEASE", "ROLLBACK", "PREPARE", "DEALLOCATE")


@dataclass(frozen=True)
class Asked:
    """A statement; of a prepared one the text, and how it was executed."""

    text: str
    query: str
    values: Any


@contextmanager
def listening(connection: Any, hear: Callable[[Asked], object]) -> Iterator[None]:
    """Every statement on a connection of SQLAlchemy's, but those that only frame others."""
    driver = connection.connection.driver_connection

    class Cursor(extensions.cursor):
        def execute(self, query: Any, vars: Any = None) -> None:
            if not query.startswith(UNSAID):
                name = query.removeprefix("BEGIN; ").removeprefix("EXECUTE ").partition("(")[0]
                hear(Asked(driver.plans.get(name, query), query, vars))
            super().execute(query, vars)

        def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
            hear(Asked(sql, sql, None))
            super().copy_expert(sql, file, size)

    driver.cursor_factory = Cursor
    yield
    driver.cursor_factory = None
