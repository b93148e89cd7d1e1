"""A Select read in batches, however much it finds, all of it as of one instant."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock, Semaphore, Thread
from types import SimpleNamespace
from typing import Any

import psycopg2
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from project.db.prepared import Prepared
from project.db.rules import refusing
from project.db.session import db, pool_patience
from project.errors import Unavailable

BATCH = 2**18  # bytes; or one row, if it has more
AHEAD = 2  # batches that wait for the reader
PATIENCE = 60  # seconds that a reader may pause, or a batch may take to be found; then it is over
LONGEST = 1_800  # seconds in all: as long as a snapshot is held, nothing behind it is cleaned up

LIMITS = select(
    func.set_config("transaction_read_only", "on", True),
    func.set_config("statement_timeout", f"{LONGEST}s", True),
    func.set_config("max_parallel_workers_per_gather", "0", True),  # others want to work as well
    func.set_config("idle_in_transaction_session_timeout", f"{PATIENCE}s", True),
)

# How COPY writes rows. A line of its own is one column as it is, of a kind that never holds
# either of these signs, such as JSON.
CSV = b"FORMAT csv"
LINES = rb"FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02'"


class Stream:
    """What a Select finds, for who reads and does not write; whoever opens it closes it.

    The rows are lines in UTF-8, written by COPY: one statement, and so one snapshot, whatever
    others write meanwhile. All the driver can do with what COPY answers is push it somewhere, so a
    thread takes it, and waits for a reader that it is some batches ahead of. Opening waits for the
    first batch, so that what can fail does so before anything is answered.
    """

    def __init__(self, found: Select[Any], form: bytes = CSV) -> None:
        db.session.close()  # its connection goes back: a thread has one in the pool
        self.rows, self.whole = 0, False
        self._deadline = time.monotonic() + LONGEST
        self._lines: list[bytes] = []
        self._size = 0
        self._room, self._guard, self._left = Semaphore(AHEAD), Lock(), False
        self._batches: SimpleQueue[list[bytes] | BaseException | None] = SimpleQueue()
        self._session = Session(db.engine, join_transaction_mode="create_savepoint")
        try:
            with pool_patience():
                self._session.execute(LIMITS)
            self._driver: Any = self._session.connection().connection.driver_connection
        except BaseException:
            self._session.close()
            raise
        self._thread = Thread(target=self._copy, args=(found, form), daemon=True)
        self._thread.start()
        try:
            self._first = self._next()
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[Sequence[bytes]]:
        """Each batch once; raises Unavailable for a reader who takes too long."""
        batch = self._first
        while batch is not None:
            self.rows += len(batch)
            yield batch
            if time.monotonic() > self._deadline:
                raise Unavailable(f"A stream may take {LONGEST} seconds.")
            batch = self._next()
        self.whole = True

    def close(self) -> None:
        """Let go of the snapshot and the connection; doing it again changes nothing."""
        self._left = True
        self._room.release()
        self._cancel()
        self._thread.join()

    def _next(self) -> Sequence[bytes] | None:
        try:
            batch = self._batches.get(timeout=PATIENCE)
        except Empty:
            raise Unavailable(f"A batch may take {PATIENCE} seconds.", code="busy") from None
        if isinstance(batch, BaseException):
            raise batch
        self._room.release()
        return batch

    def _copy(self, found: Select[Any], form: bytes) -> None:
        """All that the thread does; the connection is its own, so it gives it back."""
        end: BaseException | None = None
        try:
            with refusing(), self._driver.cursor() as cursor:
                asked = Prepared(found, planned=False).spoken(cursor, {})
                file = SimpleNamespace(write=self._take)
                cursor.copy_expert(b"COPY (%b) TO STDOUT (%b)" % (asked, form), file)
            if self._lines:
                self._hand_over()
        except BaseException as error:  # the reader's to raise
            end = error
            self._cancel()  # or closing would wait for the rest of the rows
        try:
            self._give_back()
        finally:
            self._batches.put(end)

    def _cancel(self) -> None:
        with self._guard, suppress(psycopg2.Error):  # of a connection that is gone already
            if self._driver is not None:
                self._driver.cancel()

    def _give_back(self) -> None:
        with self._guard:
            self._driver = None
        try:
            self._session.close()
        except Unavailable:  # the server has ended it, which is all that was wanted
            self._session.invalidate()

    def _take(self, line: bytes) -> None:
        self._lines.append(line[:-1])
        self._size += len(line)
        if self._size > BATCH:
            self._hand_over()

    def _hand_over(self) -> None:
        if not self._room.acquire(timeout=PATIENCE) or self._left:
            raise Unavailable(f"A reader may pause for {PATIENCE} seconds.")
        self._batches.put(self._lines)
        self._lines, self._size = [], 0
