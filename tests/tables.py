"""What stands in the tables, for tests that say what has changed and what has not."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg2
from sqlalchemy import text
from sqlalchemy.engine import make_url

from project.db import db

# What a schema is: one question each.
TABLES = """
SELECT table_name, column_name, data_type, column_default, is_nullable
FROM information_schema.columns WHERE table_schema = 'public'
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid <> 0
"""
INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
TRIGGERS = """
SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger
WHERE NOT tgisinternal
"""

FUNCTIONS = """
SELECT proname, pg_get_functiondef(oid) FROM pg_proc AS it
WHERE pronamespace = 'public'::regnamespace
AND prokind = 'f'
AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = it.oid AND deptype = 'e')
"""
SCHEMA = (TABLES, CONSTRAINTS, INDEXES, TRIGGERS, FUNCTIONS)

SHARED = {"rate_limits"}  # counts hits, whatever comes of them


def digests(connection: Any) -> dict[str, str]:
    """Every table as one digest."""
    digest = "SELECT '{0}', md5(string_agg(row::text, ',' ORDER BY row::text)) FROM {0} AS row"
    tables = sorted(set(db.metadata.tables) - SHARED)
    whole = " UNION ALL ".join(digest.format(table) for table in tables)
    return dict(connection.execute(text(whole)).all())


def asked(url: str, question: str) -> set[Any]:
    """The rows of an answer, which no transaction of a test is asked for."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg2.connect(plain)) as connection, connection.cursor() as cursor:
        cursor.execute(question)
        return {*cursor.fetchall()}
