"""How a migration gets along with those who read and write meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import sleep
from typing import Any

from alembic import op
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, RevisionStep
from psycopg2.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import Connection

from project.errors import Unavailable

# Whoever wants a lock that it cannot have lets all who come later wait behind it: so not for long.
LIMITS = {
    "lock_timeout": "2s",
    "statement_timeout": "10min",
    "idle_in_transaction_session_timeout": "0",
}
PAUSES = (1.0, 2.0, 4.0, 8.0, 8.0)  # seconds before each further try


def migrate(context: MigrationContext, connection: Connection) -> None:
    """Take the steps of an Alembic command, each in a transaction of its own.

    One that cannot lock what it changes in time is undone and taken again after a pause, some
    times; those before it stay. Raises Unavailable.
    """
    # Alembic asks for steps when it begins; one that begins anew would count "+2" from elsewhere.
    plan: Any = context._migrations_fn
    left: list[RevisionStep] | None = None

    def remaining(heads: Any, asked: MigrationContext) -> Iterator[RevisionStep]:
        nonlocal left
        if left is None:
            left = list(plan(heads, asked))
        while left:
            yield left[0]
            del left[0]  # Alembic comes back for the next once this one is committed

    context._migrations_fn = remaining
    for pause in (*PAUSES, None):
        _limit(connection, LIMITS)
        try:
            with Operations.context(context):
                context.run_migrations()
            return
        except Unavailable as refusal:
            if not isinstance(refusal.__cause__, LockNotAvailable | DeadlockDetected):
                raise
            connection.rollback()
            if pause is None:
                step = left[0].short_log if left else "the migration"
                raise Unavailable(
                    f"Others held on to what {step} has to lock, {len(PAUSES) + 1} times; it is "
                    "not done, and what came before it is: try again when less is going on."
                ) from refusal.__cause__
        sleep(pause)


@contextmanager
def concurrently() -> Iterator[None]:
    """Outside any transaction, for steps that stop nobody and therefore may wait for anybody.

    What they have done stays if the next one fails, and all of them are done again then: they must
    bear that, and so must what the revision does before them.
    """
    waiting = dict.fromkeys(LIMITS, "0")
    with op.get_context().autocommit_block():
        for statement in settings(waiting):
            op.execute(statement)
        yield
        for statement in settings(LIMITS):
            op.execute(statement)


def create_index(name: str, table: str, columns: list[Any], **options: Any) -> None:
    """Create an index without stopping writers; one that an earlier try has left behind goes."""
    with concurrently():
        op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
        op.create_index(name, table, columns, postgresql_concurrently=True, **options)


def drop_index(name: str, table: str) -> None:
    """Drop an index without stopping anybody."""
    with concurrently():
        op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)


def _limit(connection: Connection, limits: dict[str, str]) -> None:
    for statement in settings(limits):
        connection.exec_driver_sql(statement)
    connection.commit()  # settings of a transaction that is undone are undone too


def settings(limits: dict[str, str]) -> Iterable[str]:
    """The statements that set them for a connection."""
    return (f"SET {name} = '{limit}'" for name, limit in limits.items())
