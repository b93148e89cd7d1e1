"""How migrations run: one deployment at a time, each revision in a transaction of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import context
from click import ClickException
from flask import current_app
from psycopg2.errors import InsufficientPrivilege
from sqlalchemy.exc import ProgrammingError

from project.commands import one_sentence
from project.db.migrating import LIMITS, migrate, settings
from project.db.whole import alone, whole_database

extension = current_app.extensions["migrate"]
database = extension.db


def ours(found: Any, name: str | None, kind: str, reflected: bool, compared: Any) -> bool:
    """Leave out what only some servers have, the trigram indexes, and Procrastinate's tables."""
    trigrams = kind == "index" and reflected and str(name).endswith("_trgm")
    return not trigrams and not (kind == "table" and str(name).startswith("procrastinate_"))


def shape(_: Any, __: Any, directives: list[Any]) -> None:
    """Revisions are numbered; `flask db migrate` without a difference writes no file."""
    head = context.script.get_current_head() or "0"
    if directives:
        directives[0].rev_id = f"{int(head) + 1:04d}"
    asked = getattr(context.config.cmd_opts, "autogenerate", False)
    if asked and directives[0].upgrade_ops.is_empty():
        directives[:] = []


@contextmanager
def no_rights() -> Iterator[None]:
    """The role of DATABASE_URL may not do what a migration does: one sentence."""
    try:
        yield
    except ProgrammingError as error:
        if not isinstance(error.orig, InsufficientPrivilege):
            raise
        said = error.orig.diag.message_primary
        raise ClickException(f"DATABASE_URL's role has too few rights: {said}.") from error


def run() -> None:
    """Upgrade or downgrade on a connection; a second deployment waits for the first."""
    with one_sentence(), no_rights(), whole_database(), alone() as connection:
        context.configure(
            connection=connection,
            target_metadata=database.metadata,
            include_object=ours,
            process_revision_directives=shape,
            transaction_per_migration=True,
            **extension.configure_args,
        )
        migrate(context.get_context(), connection)


def show() -> None:
    """Write SQL instead of running it."""
    url = database.engine.url.render_as_string(hide_password=False)
    context.configure(
        url=url,
        target_metadata=database.metadata,
        literal_binds=True,
        transaction_per_migration=True,
    )
    for setting in settings(LIMITS):
        context.execute(setting)
    context.run_migrations()


if context.is_offline_mode():
    show()
else:
    run()
