"""`flask pg`: look at the embedded PostgreSQL, or stop it."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import AppGroup

from project.embedded import Cluster

pg = AppGroup("pg", help="The embedded PostgreSQL, used while DATABASE_URL is unset.")


def embedded() -> Cluster:
    """The application's cluster, or a refusal when it has none."""
    cluster: Cluster | None = current_app.extensions["embedded"]
    if cluster is None:
        raise click.ClickException("DATABASE_URL is set: that server is not ours to manage.")
    return cluster


@pg.command()
def status() -> None:
    """Tell what runs, and where; exit with 3 when nothing does."""
    found = embedded().status()
    for name, value in found.items():
        shown = ("yes" if value else "no") if isinstance(value, bool) else value or "-"
        click.echo(f"{name.replace('_', ' '):<10}{shown}")
    if not found["running"]:
        raise SystemExit(3)


@pg.command()
def stop() -> None:
    """Stop the server now; whoever needs it next starts it again."""
    stopped = embedded().stop()
    click.echo("The embedded PostgreSQL has stopped." if stopped else "It was not running.")
