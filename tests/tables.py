"""What stands in the tables, for tests that say what has changed and what has not."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from project.db import db

SHARED = {"rate_limits"}  # counts hits, whatever comes of them


def digests(connection: Any) -> dict[str, str]:
    """Every table as one digest."""
    digest = "SELECT '{0}', md5(string_agg(row::text, ',' ORDER BY row::text)) FROM {0} AS row"
    tables = sorted(set(db.metadata.tables) - SHARED)
    whole = " UNION ALL ".join(digest.format(table) for table in tables)
    return dict(connection.execute(text(whole)).all())
