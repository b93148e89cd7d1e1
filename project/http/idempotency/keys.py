"""Keys and what was answered to them, in the transaction of the request."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import Column, Integer, LargeBinary, Table, func, select
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP, insert

from project.db import Base, db, sweep

LIFETIME = timedelta(hours=24)
PORTION = 10_000  # rows that are purged at once: a statement may not take longer than 5 s

idempotency_keys = Table(
    "idempotency_keys",
    Base.metadata,
    Column("name", LargeBinary, primary_key=True),  # SHA-256 of caller, operation and key
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("expires_at", TIMESTAMP(timezone=True), nullable=False, index=True),
)


class Answer(NamedTuple):
    """What was answered, to which request."""

    fingerprint: bytes
    status: int
    headers: dict[str, str]
    body: bytes


def claim(name: bytes) -> bool:
    """Be the only one with this key until the transaction ends; False, at once, if another is.

    The server lets go of it with the connection, so no crash leaves it behind.
    """
    number = int.from_bytes(name[:8], signed=True)
    return bool(db.session.scalar(select(func.pg_try_advisory_xact_lock(number))))


def find(name: bytes) -> Answer | None:
    """What was answered to this key; a statement of its own, since `claim` sees what was before."""
    columns = (idempotency_keys.c[part] for part in Answer._fields)
    known = idempotency_keys.c.name == name, idempotency_keys.c.expires_at > func.now()
    row = db.session.execute(select(*columns).where(*known)).first()
    return None if row is None else Answer(*row)


def store(name: bytes, answer: Answer) -> None:
    """Keep the answer; one that has expired makes room."""
    given = {**answer._asdict(), "expires_at": func.now() + LIFETIME}
    new = insert(idempotency_keys).values(name=name, **given)
    db.session.execute(new.on_conflict_do_update(index_elements=["name"], set_=given))


def purge() -> int:
    """Delete a portion of what has expired; how many they were."""
    return sweep(idempotency_keys.c.name, idempotency_keys.c.expires_at, PORTION)
