"""flask backup, flask restore."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import with_appcontext

from project.backup import service
from project.backup.archive import Manifest
from project.commands import one_sentence
from project.db import db
from project.errors import Refused
from project.health.service import revisions

file = click.argument("path", metavar="FILE", type=click.Path(path_type=Path))


@click.command()
@file
@with_appcontext
def backup(path: Path) -> None:
    """Write the whole database to FILE, as of one moment, and read it back.

    The keys that sign tokens are not in it: SECRET_KEY, or secret_key in DATA_DIR.
    """
    with one_sentence():
        if str(path) == "-":
            raise Refused("FILE must be a file: what has left by a pipe cannot be read back.")
        manifest = service.backup(path)
    click.echo(f"{path} has {_told(manifest)}, {path.stat().st_size:,} bytes.")


@click.command()
@file
@click.option("--replace", is_flag=True, help="Delete all that is in the database before.")
@click.option("--yes", is_flag=True, help="Do not ask whether to replace it.")
@with_appcontext
def restore(path: Path, replace: bool, yes: bool) -> None:
    """Make the database what FILE holds, which `flask backup` wrote: all of it or nothing.

    The database has to be empty. FILE is code too: restore none that you do not trust.
    """
    head = revisions()[0]
    with one_sentence():
        manifest = service.examine(path, revisions())
        if replace and not yes:
            click.confirm(
                f"{path} has {_told(manifest)}, as of {manifest.made_at}. Delete all that is in "
                f"the database {db.engine.url.database}, and restore that?",
                abort=True,
            )
        service.restore(path, manifest, replace=replace)
    click.echo(f"The database has {_told(manifest)}, as of {manifest.made_at}.")
    if manifest.revision != head:
        click.echo(f"This release has {head}: run flask db upgrade.")


def _told(manifest: Manifest) -> str:
    rows, tables = sum(manifest.rows.values()), len(manifest.rows)
    return f"{rows:,} rows of {tables:,} tables at revision {manifest.revision}"
