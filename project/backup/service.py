"""A backup is one snapshot, read back before it has its name; a restore is one transaction."""

from __future__ import annotations

import errno
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, text

from project.backup import archive
from project.backup.archive import Manifest
from project.backup.programs import NOTHING, TRIGRAMS, programs
from project.db import db, whole_database
from project.errors import Refused

# What is in no schema of the server's own, and was not brought along by an extension.
OURS = """
    JOIN pg_namespace AS place ON place.oid = {of}namespace
    WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%' AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = it.tableoid AND objid = it.oid AND deptype = 'e'
    )
"""
RELATIONS, ROUTINES, TYPES = (
    f"FROM pg_{catalog} AS it {OURS.format(of=of)}"
    for catalog, of in (("class", "rel"), ("proc", "pro"), ("type", "typ"))
)
TABLES = f"""
SELECT format('%I.%I', nspname, relname) {RELATIONS} AND relkind = 'r' AND relpersistence = 'p'
ORDER BY 1
"""
TAKEN = f"SELECT EXISTS (SELECT {RELATIONS} AND relkind IN ('r', 'p', 'f', 'v', 'm', 'S'))"
OTHERS = """
SELECT EXISTS (SELECT FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL)
"""
# Whether it is there, or may be created by whoever restores: as the first migration sees it.
HAS_TRIGRAMS = """
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm') OR EXISTS (
    SELECT FROM pg_available_extension_versions JOIN pg_roles ON rolname = current_user
    WHERE name = 'pg_trgm'
    AND (rolsuper OR (trusted AND has_database_privilege(current_database(), 'CREATE')))
)
"""
ONE_NAME = (errno.EPERM, errno.ENOTSUP)  # of file systems where a file has but one, such as FAT
BEGIN = "BEGIN;\nSET LOCAL lock_timeout = '10s';\n"  # nobody should be here, but who knows
CLEAR = """
SET LOCAL client_min_messages = warning;
DO $$ DECLARE found record; BEGIN
    FOR found IN
        SELECT 1 AS turn, format('TABLE IF EXISTS %I.%I', nspname, relname) AS thing
        {relations} AND relkind IN ('r', 'p') AND NOT relispartition
        UNION ALL SELECT 2, format(
            '%s IF EXISTS %I.%I',
            CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
                WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'SEQUENCE' END,
            nspname, relname
        ) {relations} AND relkind IN ('v', 'm', 'f', 'S')
        UNION ALL SELECT 3, format('ROUTINE IF EXISTS %s', it.oid::regprocedure) {routines}
        UNION ALL SELECT 4, format('TYPE IF EXISTS %I.%I', nspname, typname) {types}
        AND (typtype IN ('e', 'd', 'r') OR EXISTS (
            SELECT FROM pg_class WHERE pg_class.oid = typrelid AND relkind = 'c'
        ))
        ORDER BY turn
    LOOP
        EXECUTE 'DROP ' || found.thing || ' CASCADE';
    END LOOP;
END $$;
"""
COMPARE = """
DO $$ DECLARE wanted record; found bigint; BEGIN
    FOR wanted IN SELECT key, value::bigint AS rows FROM json_each_text('{rows}') LOOP
        EXECUTE 'SELECT count(*) FROM ' || wanted.key INTO found;
        IF found <> wanted.rows THEN
            RAISE EXCEPTION '% has % rows and not %', wanted.key, found, wanted.rows;
        END IF;
    END LOOP;
END $$;
COMMIT;
"""


def backup(path: Path) -> Manifest:
    """Write the whole database to a new file, as of one moment, whatever others do meanwhile.

    The file is there once all of it is on the disk and has been read back, or not at all. Waits
    for a migration that is under way. Refuses a path where something is already, and whatever the
    programs or the system refuse.
    """
    if path.exists():
        raise _exists(path)
    with _draft(path) as draft, whole_database(shared=True) as connection:
        manifest = _dump(connection, draft)
        archive.seal(draft, manifest)
        _name(draft, path)
    return manifest


def examine(path: Path, revisions: Sequence[str]) -> Manifest:
    """What is in a backup that this release, of which these are the revisions, the newest first,
    can use; refuses damage, and what is of a newer one.
    """
    manifest = archive.unseal(path)
    if (found := manifest.revision) not in revisions:
        raise Refused(
            f"{path} is at revision {found}, and this release ends with {revisions[0]}: "
            "restore it with the release that made it, or a newer one."
        )
    return manifest


def restore(path: Path, manifest: Manifest, *, replace: bool) -> None:
    """Make the database what a backup holds, in one transaction, and count all of it in that.

    Waits for a migration or a backup that is under way. Refuses a database that is not empty,
    unless it is to be replaced; and to replace one while others are connected, since a server or
    a worker would go on with what is no longer there.
    """
    with whole_database() as connection:
        if replace and connection.scalar(text(OTHERS)):
            raise Refused("Others are connected to the database: stop servers and workers first.")
        if not replace and connection.scalar(text(TAKEN)):
            raise Refused("The database is not empty: --replace would delete all that is there.")
        server = _major(connection)
        clear = CLEAR.format(relations=RELATIONS, routines=ROUTINES, types=TYPES)
        rows = json.dumps(manifest.rows).replace("'", "''")
        programs(max(server, manifest.programs), db.engine.url).load(
            path,
            BEGIN + (clear if replace else ""),
            COMPARE.replace("{rows}", rows),
            server=server,
            leave_out=NOTHING if connection.scalar(text(HAS_TRIGRAMS)) else TRIGRAMS,
        )
        connection.exec_driver_sql("ANALYZE")  # a dump has no statistics to plan by


def _dump(connection: Connection, draft: Path) -> Manifest:
    """Dump a snapshot, count the rows that it shows, and those that the dump has."""
    reader = programs(_major(connection), db.engine.url)
    connection.commit()
    connection.execution_options(isolation_level="REPEATABLE READ")
    with connection.begin():
        made_at = datetime.now(UTC)
        snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
        revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
        if revision is None:
            raise Refused("The database is at no revision: run flask db upgrade.")
        reader.dump(draft, str(snapshot))
        tables = connection.scalars(text(TABLES)).all()
        rows = {name: _count(connection, name) for name in tables}
    found = reader.rows(draft)
    if found != rows:
        differing = sorted(name for name in rows | found if rows.get(name) != found.get(name))
        raise Refused(f"The dump has other rows than the database in {', '.join(differing)}.")
    return Manifest(revision, f"{made_at:%Y-%m-%dT%H:%M:%SZ}", reader.major, rows)


def _count(connection: Connection, table: str) -> int:
    counted = f"SELECT count(*) FROM {table}"  # as PostgreSQL has spelled it # nosec B608
    return int(connection.exec_driver_sql(counted).scalar_one())


def _major(connection: Connection) -> int:
    """The server's major version."""
    number = connection.scalar(text("SELECT current_setting('server_version_num')::integer"))
    return int(number or 0) // 10_000


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """A file beside it that only we may read, and that is gone in the end."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.unfinished")
    try:
        draft.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        yield draft
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        draft.unlink(missing_ok=True)


def _name(draft: Path, path: Path) -> None:
    """Give it its name, which takes it from nobody, and have that on the disk too."""
    try:
        os.link(draft, path)  # where a rename would replace
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        if error.errno not in ONE_NAME:
            raise
        draft.rename(path)  # it was not there when this began
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _exists(path: Path) -> Refused:
    return Refused(f"{path} is there already, and a backup replaces nothing.")


def _cannot_write(path: Path, error: OSError) -> Refused:
    return Refused(f"Cannot write {path}: {error.strerror}.")
