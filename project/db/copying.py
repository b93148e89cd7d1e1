"""COPY: many rows for a table as a statement of the session, in the engine's care as any other."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import Any

from sqlalchemy import Engine, Table, event, text

from project.db.session import db


def copy_in(table: Table, columns: Iterable[str], piece: bytes) -> None:
    """Add rows to a table: CSV in UTF-8, where an empty cell that is not quoted is null."""
    statement = text(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT csv)")
    db.session.execute(statement, execution_options={"copied": BytesIO(piece)})


@event.listens_for(Engine, "do_execute")
def _copy(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
    """Let the driver COPY; False: this is another statement, for the engine to execute."""
    piece = context.execution_options.get("copied") if context is not None else None
    if piece is None:
        return False
    cursor.copy_expert(statement, piece)
    return True
