"""One question to the database with a deadline, on a connection of its own.

A pooled connection may hang for ever on a server that is stopped but not gone; this one is
driven without blocking, so the answer comes in time whatever state the server is in.
"""

from __future__ import annotations

import select
import time
from typing import Any

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ, connection

from project.db.session import db
from project.errors import Unavailable


def probe(statement: str, seconds: float) -> Any:
    """The first value answered within so many seconds, None if the table is not there yet.

    Raises Unavailable.
    """
    deadline = time.monotonic() + seconds
    _, parameters = db.engine.dialect.create_connect_args(db.engine.engine.url)
    asked: connection | None = None
    try:
        asked = psycopg2.connect(**parameters, async_=True)
        _finish(asked, deadline)
        cursor = asked.cursor()
        cursor.execute(statement)
        _finish(asked, deadline)
        row = cursor.fetchone()
        return row and row[0]
    except psycopg2.errors.UndefinedTable:
        return None
    except psycopg2.Error as error:
        raise Unavailable("The database is away.") from error
    finally:
        if asked is not None:
            asked.close()


def _finish(asked: connection, deadline: float) -> None:
    while (state := asked.poll()) != POLL_OK:
        left = deadline - time.monotonic()
        ready = select.poll()  # not select(): a busy worker has descriptors beyond its 1,024
        ready.register(asked, select.POLLIN if state == POLL_READ else select.POLLOUT)
        if left <= 0 or not ready.poll(left * 1000):
            raise Unavailable("The database does not answer in time.")
