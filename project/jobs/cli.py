"""flask worker, which does jobs, and flask jobs, which looks after them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from project.commands import Group, one_sentence
from project.db import db, transaction
from project.jobs import service
from project.jobs.models import STATUSES, Job

jobs = Group("jobs", help="Work that happens after the answer.")
COLUMNS = "{:>8}  {:<20}  {:<9}  {:>8}  {:>8}  {:<19}  {}"


@click.command()
@click.option("--once", is_flag=True, help="End when nothing is left to be done.")
@click.option("--parent", type=int, metavar="PID", help="End when the parent, PID, has ended.")
@with_appcontext
def worker(once: bool, parent: int | None) -> None:
    """Do jobs, THREADS at a time, until SIGTERM; then finish those under way."""
    from project.jobs.worker import Worker  # only here: the library takes its time to load

    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # a proxy
    with one_sentence():
        asyncio.run(Worker(app, app.config["THREADS"], once=once, parent=parent).serve())


@jobs.command("list")
@click.option("--status", type=click.Choice(STATUSES), help="Only those in this status.")
@click.option("--task", metavar="NAME", help="Only those of this task.")
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=100,
    show_default=True,
    help="How many, the newest first.",
)
def list_jobs(status: str | None, task: str | None, limit: int) -> None:
    """List jobs, the newest first."""
    found = service.search(status, task).order_by(Job.id.desc()).limit(limit)
    click.echo(
        COLUMNS.format("id", "task", "status", "attempts", "progress", "created (UTC)", "error")
    )
    for job in db.session.scalars(found):
        since = f"{job.created_at:%Y-%m-%d %H:%M:%S}"
        told = (job.id, job.task, job.status, job.attempts, f"{job.progress} %", since)
        click.echo(COLUMNS.format(*told, job.error or "").rstrip())


@jobs.command()
@click.argument("id", type=int)
def retry(id: int) -> None:
    """Try a job that has failed once more."""
    with transaction():
        service.retry(id)
    click.echo(f"Job {id} is queued again.")


@jobs.command()
@click.argument("id", type=int)
def cancel(id: int) -> None:
    """Do not do a job that still waits."""
    with transaction():
        service.cancel(id)
    click.echo(f"Job {id} is cancelled.")


@jobs.command()
@click.option("--days", type=click.IntRange(0, 36_500), help="What was finished so many days ago.")
def purge(days: int | None) -> None:
    """Forget finished jobs: what succeeded after 7 days, the others after 30."""
    ages = [] if days is None else [timedelta(days=days)] * 2
    count = 0
    while portion := _purge_some(*ages):
        count += portion
    click.echo(f"Forgot {count:,} finished {'job' if count == 1 else 'jobs'}.")


def _purge_some(*ages: timedelta) -> int:
    with transaction():
        return service.purge(*ages)
