"""flask idempotency: what is kept of requests that carried a key."""

from __future__ import annotations

import click

from project.commands import Group
from project.db import transaction
from project.http.idempotency import keys

idempotency = Group("idempotency", help="Answers kept for requests that come again.")


@idempotency.command()
def purge() -> None:
    """Delete what is older than 24 hours."""
    count = 0
    while portion := _purge_some():
        count += portion
    click.echo(f"Deleted {count:,} expired {'key' if count == 1 else 'keys'}.")


def _purge_some() -> int:
    with transaction():
        return keys.purge()
