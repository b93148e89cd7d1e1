"""Readiness: the database answers within a second, and has the schema of this release."""

from __future__ import annotations

from functools import cache

from alembic.script import ScriptDirectory

from config import ROOT
from project.db import probe
from project.errors import Unavailable

PATIENCE = 1.0  # seconds


def check() -> None:
    """Raise Unavailable unless the database answers and its schema is that of this release."""
    head, *before = revisions()
    found = probe("SELECT version_num FROM alembic_version", PATIENCE)
    if found == head:
        return
    at, behind = found or "no revision", found is None or found in before
    advice = "run flask db upgrade" if behind else "deploy the release that made it"
    raise Unavailable(
        f"The database schema is at {at}, this release has {head}: {advice}.", code="wrong_schema"
    )


@cache
def revisions() -> list[str]:
    """Every revision of this release, the newest first."""
    walked = ScriptDirectory(str(ROOT / "migrations")).walk_revisions()
    return [script.revision for script in walked]
