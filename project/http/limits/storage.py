"""Counters in PostgreSQL: one row per limit and caller, one statement per hit.

They have connections of their own that commit by themselves: a counter outlives the rollback of
the request it counts, and its row is locked for no longer than its statement. The table is not
logged: that saves most of the writing, and after a crash of the server every window begins anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from random import randrange
from typing import Any

import structlog
from limits.storage import Storage
from sqlalchemy import BigInteger, Column, Table, Text, create_engine
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.exc import SQLAlchemyError

from project import meters
from project.db import Base
from project.db.connections import engine_options, prepare
from project.errors import Refusal

log = structlog.get_logger("project")

CONNECTIONS = 2  # per process; a hit holds one for less than a millisecond
SELDOM = 1000  # hits for one look at what has expired

rate_limits = Table(
    "rate_limits",
    Base.metadata,
    Column("key", Text, primary_key=True),
    Column("hits", BigInteger, nullable=False),  # refused ones count on, however many
    Column("expires_at", TIMESTAMP(timezone=True), nullable=False, index=True),
    prefixes=["UNLOGGED"],
)

# SQL as such, because SQLAlchemy's own would take longer to build than PostgreSQL to answer.
HIT = """
INSERT INTO rate_limits AS kept (key, hits, expires_at)
VALUES (%(key)s, %(hits)s, now() + make_interval(secs => %(seconds)s))
ON CONFLICT (key) DO UPDATE SET
    hits = CASE WHEN kept.expires_at > now() THEN kept.hits ELSE 0 END + excluded.hits,
    expires_at = CASE WHEN kept.expires_at > now() THEN kept.expires_at ELSE excluded.expires_at END
RETURNING hits
"""
HITS = "SELECT hits FROM rate_limits WHERE key = %(key)s AND expires_at > now()"
LEFT = """
SELECT extract(epoch FROM expires_at - now()) FROM rate_limits
WHERE key = %(key)s AND expires_at > now()
"""
CLEAR = "DELETE FROM rate_limits WHERE key = %(key)s"
RESET = "DELETE FROM rate_limits"
SWEEP = """
DELETE FROM rate_limits WHERE key = ANY (ARRAY(
    SELECT key FROM rate_limits WHERE expires_at <= now() LIMIT 10000 FOR UPDATE SKIP LOCKED
))
"""


class PostgresStorage(Storage):
    """The storage of `limits`, in the application's own database; nothing connects before a hit."""

    STORAGE_SCHEME = None
    base_exceptions = SQLAlchemyError

    def __init__(self, url: str, before_connecting: Callable[[], object] | None = None) -> None:
        super().__init__()
        options = engine_options(CONNECTIONS)
        self.engine = create_engine(url, isolation_level="AUTOCOMMIT", **options)
        prepare(self.engine, "limits", before_connecting)
        meters.POOL_MAX.labels("limits").set(CONNECTIONS)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count a hit; the window begins with its first."""
        hits = self._ask(HIT, key=key, hits=amount, seconds=expiry)
        if randrange(SELDOM) == 0:  # no secret # nosec B311
            self.sweep()
        return int(hits)

    def get(self, key: str) -> int:
        return int(self._ask(HITS, key=key) or 0)

    def get_expiry(self, key: str) -> float:
        """When the window ends by this machine's clock; the database says how far off that is."""
        return time.time() + float(self._ask(LEFT, key=key) or 0)

    def check(self) -> bool:
        return bool(self._ask("SELECT 1") == 1)

    def clear(self, key: str) -> None:
        self._ask(CLEAR, key=key)

    def reset(self) -> None:
        self._ask(RESET)

    def sweep(self) -> None:
        """Delete what has expired; no request fails because that did."""
        try:
            self._ask(SWEEP)
        except (Refusal, SQLAlchemyError):
            log.warning("rate_limits.not_swept", exc_info=True)

    def _ask(self, statement: str, **values: Any) -> Any:
        """The first value answered, if there is any."""
        with self.engine.connect() as connection:
            answer = connection.exec_driver_sql(statement, values)
            return answer.scalar() if answer.returns_rows else None
