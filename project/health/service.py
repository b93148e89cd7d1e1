"""Readiness: the database answers within a second, and has the schema of this release."""

from __future__ import annotations

from project.db import probe
from project.errors import Unavailable

PATIENCE = 1.0  # seconds


def check(head: str | None) -> None:
    """Raise Unavailable unless the database answers and its schema is at revision `head`."""
    found = probe("SELECT version_num FROM alembic_version", PATIENCE)
    if found != head:
        at = found or "no revision"
        raise Unavailable(
            f"The database schema is at {at}, this release needs {head}: run flask db upgrade.",
            code="wrong_schema",
        )
