"""`flask restore`: all of a file or nothing, and never over what is there unless one says so."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from project.backup import archive
from project.db.whole import LOCK
from project.embedded.cluster import find
from tests.backup.terminal import Terminal, database, programs, resealed, schema
from tests.tables import INDEXES, asked

# What a migration of a later release might have made, and a table that others refer to.
MORE = """
CREATE TYPE color AS ENUM ('red', 'blue');
CREATE DOMAIN word AS text CHECK (value <> '');
CREATE TYPE pair AS (one integer, other integer);
CREATE TABLE shades (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, color color, word word);
CREATE VIEW reds AS SELECT id FROM shades WHERE color = 'red';
CREATE MATERIALIZED VIEW blues AS SELECT id FROM shades WHERE color = 'blue';
CREATE SEQUENCE numbers;
CREATE FUNCTION shade(color) RETURNS bigint LANGUAGE sql AS 'SELECT id FROM shades LIMIT 1';
ALTER TABLE samples ADD COLUMN shade_id bigint REFERENCES shades;
DELETE FROM samples WHERE id > 500;
"""


def test_a_database_that_is_not_empty_is_not_touched(
    kept: Path, postgres: str, template: str
) -> None:
    with database(postgres, template) as other:
        before = other.rows
        said = other.refused("restore", kept)
        assert said == "The database is not empty: --replace would delete all that is there."
        assert other.rows == before


def test_replace_leaves_nothing_of_what_was_there(
    source: Terminal, kept: Path, postgres: str, template: str
) -> None:
    with database(postgres, template) as other:
        other.sql(MORE)
        other.done("restore", kept, "--replace", "--yes")
        assert schema(other.url) == schema(source.url)
        assert other.sql("SELECT count(*) FROM samples") == 1000
        left = "SELECT to_regtype('color') IS NULL AND to_regtype('word') IS NULL"
        assert other.sql(
            f"{left} AND to_regtype('pair') IS NULL AND to_regclass('numbers') IS NULL"
        )


def test_replace_asks_and_no_is_no(source: Terminal, kept: Path) -> None:
    before = source.rows
    told = source.run("restore", kept, "--replace", typed="n\n")
    assert (told.exit_code, told.stderr) == (1, "Aborted!\n")
    assert f"{kept} has 1,001 rows of " in told.stdout
    assert "Delete all that is in the database " in told.stdout
    assert source.rows == before
    assert source.run("restore", kept, "--replace", typed="").exit_code == 1


def test_replace_waits_for_nobody_who_is_connected(source: Terminal, kept: Path) -> None:
    with source.connected():
        said = source.refused("restore", kept, "--replace", "--yes")
    assert said == "Others are connected to the database: stop servers and workers first."


def test_what_fails_in_the_end_has_not_begun(source: Terminal, kept: Path, tmp_path: Path) -> None:
    """Not even to delete what it was to replace."""
    rows = {**archive.unseal(kept).rows, "public.samples": 999}
    path, before = resealed(kept, tmp_path / "file", rows=rows), source.rows
    said = source.refused("restore", path, "--replace", "--yes")
    assert said == "psql has failed: public.samples has 1000 rows and not 999."
    assert source.rows == before


HALF = """
[ "$1" = --version ] && exec "{real}/pg_restore" "$@"
case "$*" in *--list*) exec "{real}/pg_restore" "$@";; esac
"{real}/pg_restore" "$@" | head -c 200000
echo "pg_restore: error: could not read from input file: Input/output error" >&2
exit 1
"""


def test_a_dump_that_ends_too_early_is_not_committed(
    kept: Path, empty: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = HALF.format(real=find())
    monkeypatch.setenv(*programs(tmp_path / "bin", find(), pg_restore=script))
    said = empty.refused("restore", kept)
    assert said == "pg_restore has failed: could not read from input file: Input/output error."
    assert empty.rows == {}


def test_what_the_database_refuses_is_told_and_undone(kept: Path, empty: Terminal) -> None:
    empty.sql("CREATE TYPE procrastinate_job_status AS ENUM ('todo')")
    said = empty.refused("restore", kept)
    assert said == 'psql has failed: type "procrastinate_job_status" already exists.'
    assert empty.rows == {}


def test_a_backup_of_a_newer_release_is_refused(
    kept: Path, empty: Terminal, tmp_path: Path
) -> None:
    path = resealed(kept, tmp_path / "file", revision="9999")
    head = archive.unseal(kept).revision
    assert empty.refused("restore", path) == (
        f"{path} is at revision 9999, and this release ends with {head}: restore it with the "
        "release that made it, or a newer one."
    )
    assert empty.rows == {}


def test_after_one_of_an_older_release_one_is_told_to_migrate(
    kept: Path, empty: Terminal, tmp_path: Path
) -> None:
    path = resealed(kept, tmp_path / "file", revision="0001")
    head = archive.unseal(kept).revision
    told = empty.done("restore", path)
    assert told.endswith(f"This release has {head}: run flask db upgrade.\n")


def test_a_role_that_may_not_have_trigrams_goes_without(
    source: Terminal, kept: Path, empty: Terminal
) -> None:
    """As where they could not be had from the beginning."""
    empty.sql(
        "DO $$ BEGIN EXECUTE format("
        "'REVOKE CREATE ON DATABASE %I FROM %I', current_database(), current_user); END $$"
    )
    empty.done("restore", kept)
    indexes = {row for row in asked(source.url, INDEXES) if not row[1].endswith("_trgm")}
    assert asked(empty.url, INDEXES) == indexes
    assert empty.sql("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'") == 0


def test_a_restore_waits_for_a_migration(kept: Path, empty: Terminal) -> None:
    with ThreadPoolExecutor(1) as hand, empty.connected() as migrating:
        migrating.autocommit = True
        cursor = migrating.cursor()
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        waiting = hand.submit(empty.done, "restore", kept)
        with pytest.raises(TimeoutError):
            waiting.result(1)
        assert empty.rows == {}
        cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
        waiting.result(60)
    assert empty.sql("SELECT count(*) FROM samples") == 1000
