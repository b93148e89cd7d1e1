"""A Select read in batches, however much it finds, all of it as of one instant."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from project.db.session import db, pool_patience
from project.errors import Unavailable

BATCH = 500  # rows; with the longest texts some megabytes
PATIENCE = 60  # seconds that a reader may pause, or a batch may take to be found; then it is over
LONGEST = 1_800  # seconds in all: as long as a snapshot is held, nothing behind it is cleaned up

LIMITS = select(
    func.set_config("transaction_read_only", "on", True),
    func.set_config("statement_timeout", f"{PATIENCE}s", True),  # each batch is one
    func.set_config("idle_in_transaction_session_timeout", f"{PATIENCE}s", True),
)


class Stream:
    """What a Select finds, for who reads and does not write; whoever opens it closes it.

    Opening asks for the first batch, so that what can fail does so before anything is answered.
    A cursor of the server hands out the rest: one statement, and so one snapshot, whatever others
    write meanwhile.
    """

    def __init__(self, found: Select[Any]) -> None:
        db.session.close()  # its connection goes back: a thread has one in the pool
        self.rows, self.whole = 0, False
        self._session = Session(db.engine, join_transaction_mode="create_savepoint")
        self._deadline = time.monotonic() + LONGEST
        try:
            with pool_patience():
                self._session.execute(LIMITS)
            result = self._session.execute(found, execution_options={"yield_per": BATCH})
            self._batches = result.partitions()
            self._first = next(self._batches, ())
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[Sequence[Row[Any]]]:
        """Each batch once; raises Unavailable for a reader who takes too long."""
        batch = self._first
        while batch:
            self.rows += len(batch)
            yield batch
            if time.monotonic() > self._deadline:
                raise Unavailable(f"A stream may take {LONGEST} seconds.")
            batch = next(self._batches, ())
        self.whole = True
        self.close()

    def close(self) -> None:
        """Let go of the snapshot and the connection; doing it again changes nothing."""
        try:
            self._session.close()
        except Unavailable:  # the server has ended it, which is all that was wanted
            self._session.invalidate()
