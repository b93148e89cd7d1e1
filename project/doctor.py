"""flask doctor: what a deployment lacks, a sentence for each, and what to do about it."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import func, select, text
from sqlalchemy.engine import make_url

from config import SPARE
from project.db import db, transaction
from project.errors import Unavailable
from project.health import service as health
from project.jobs import service as jobs
from project.jobs.models import Job, Queued
from project.users.models import User

VERSIONS = range(14, 19)  # of PostgreSQL, that this release is made for
NEAR = ("", "localhost", "127.0.0.1", "::1")  # where nobody listens in between
LATE = timedelta(minutes=5)  # that a job may wait
CLOCKS = 5  # seconds that two may differ
SERVER = """
SELECT current_setting('server_version_num')::int / 10000 AS version,
    pg_encoding_to_char(encoding) AS encoding,
    current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on'
        AND current_setting('synchronous_commit') <> 'off' AS durable,
    current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int AS connections,
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS almighty,
    abs(extract(epoch FROM clock_timestamp() - to_timestamp(:now))) AS skew
FROM pg_database WHERE datname = current_database()
"""
Settings = Mapping[str, Any]


class Finding(NamedTuple):
    """good, a warning that a deployment can live with, or a problem that it cannot."""

    level: str
    sentence: str


@click.command()
@with_appcontext
def doctor() -> None:
    """Say what this deployment lacks; exit with 1 if it cannot do without."""
    levels = set()
    for level, sentence in examine(current_app.config):
        click.echo(f"{level:<8} {sentence}")
        levels.add(level)
    if "problem" in levels:
        raise SystemExit(1)


def examine(settings: Settings) -> Iterator[Finding]:
    """The settings, the database, and what works on it, as far as one can get."""
    yield from of_settings(settings)
    try:
        with transaction():
            found = list(of_server(settings))
        yield from found
        health.check()
        yield Finding("good", f"The schema is that of this release, {health.revisions()[0]}.")
        with transaction():
            found = [*of_people(), *of_jobs()]
        yield from found
    except Unavailable as refusal:
        yield Finding("problem", refusal.sentence)


def of_settings(settings: Settings) -> Iterator[Finding]:
    """What the environment says, or leaves open."""
    if settings["APP_ENV"] != "production":
        yield Finding("warning", "APP_ENV is not production, so that weak settings are let pass.")
    if settings["DATABASE_URL"] is None:
        yield Finding("warning", "The database is the embedded one: DATABASE_URL names a server.")
    elif far(settings["DATABASE_URL"]):
        yield Finding(
            "warning",
            "The database is on another machine and nobody proves which: DATABASE_URL takes "
            "?sslmode=verify-full.",
        )
    if settings["MAIL_URL"] is None:
        yield Finding("warning", "Nobody gets a mail: MAIL_URL names the server that sends them.")
    if not settings["RESET_URL"]:
        yield Finding("warning", "A mail about a lost password has no link: RESET_URL is the page.")
    if not settings["RATELIMIT_ENABLED"]:
        yield Finding("warning", "Passwords may be tried without end: RATELIMIT_ENABLED is false.")
    if not settings["TRUSTED_PROXIES"]:
        yield Finding(
            "warning", "Behind a proxy all callers are one address: TRUSTED_PROXIES names proxies."
        )
    if any(proxies.prefixlen == 0 for proxies in settings["TRUSTED_PROXIES"]):
        yield Finding("problem", "Anybody can claim any address: TRUSTED_PROXIES trusts them all.")
    if not settings["TRUSTED_HOSTS"]:
        yield Finding("warning", "Requests for any host are answered: TRUSTED_HOSTS names ours.")
    if settings["CORS_ORIGINS"] == ("*",):
        yield Finding("warning", "The pages of any origin may call the API: CORS_ORIGINS is *.")
    if settings["THREADS"] == 1:
        yield Finding("warning", "A request that is held up holds up its process: THREADS is 1.")
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # as far as the server raises it
    if resource.RLIM_INFINITY != files < (wanted := settings["WORKER_CONNECTIONS"] + SPARE):
        yield Finding(
            "problem",
            f"A process may open {files:,} files and needs {wanted:,}: raise ulimit -Hn, or lower "
            "WORKER_CONNECTIONS.",
        )


def far(database_url: str) -> bool:
    """Whether it leads over a network to somebody who need not prove who it is."""
    url = make_url(database_url)
    host = str(url.query.get("host", url.host or ""))
    return host not in NEAR and host[0] != "/" and url.query.get("sslmode") != "verify-full"


def of_server(settings: Settings) -> Iterator[Finding]:
    """PostgreSQL, and what this role finds there."""
    asked = text(SERVER).bindparams(now=time.time())
    server = db.session.execute(asked).one()
    supported = f"{VERSIONS[0]} to {VERSIONS[-1]}"
    if server.version in VERSIONS:
        yield Finding("good", f"PostgreSQL {server.version} answers.")
    else:
        yield Finding(
            "problem", f"PostgreSQL {server.version} answers; this release is for {supported}."
        )
    if server.encoding != "UTF8":
        yield Finding(
            "problem", f"The database is in {server.encoding}: CREATE DATABASE … ENCODING 'UTF8'."
        )
    if not server.durable:
        yield Finding(
            "problem",
            "What was acknowledged may be lost in a crash: fsync, full_page_writes and "
            "synchronous_commit must be on.",
        )
    wanted = settings["WEB_CONCURRENCY"] * (2 * settings["THREADS"] + 3) + settings["THREADS"] + 6
    if server.connections < wanted:
        yield Finding(
            "problem",
            f"The server takes {server.connections} connections and a web server with a worker of "
            f"these settings {wanted}: raise max_connections, or lower WEB_CONCURRENCY or THREADS.",
        )
    if server.almighty and settings["DATABASE_URL"] is not None:
        yield Finding(
            "warning", "DATABASE_URL's role is a superuser: an owner of the database is enough."
        )
    if server.skew > CLOCKS:
        yield Finding(
            "problem",
            f"The clocks of this machine and the database differ by {server.skew:.0f} seconds.",
        )


def of_people() -> Iterator[Finding]:
    """Somebody must be able to look after the rest."""
    keepers = select(func.count()).where(User.is_superuser, User.is_active)
    if not db.session.scalar(keepers):
        yield Finding(
            "problem", "There is no superuser: flask users create NAME EMAIL --superuser."
        )


def of_jobs() -> Iterator[Finding]:
    """Whatever happens after an answer waits for a worker."""
    awake = select(func.count()).where(jobs.alive())
    if number := db.session.scalar(awake):
        yield Finding("good", f"{number} {'worker is' if number == 1 else 'workers are'} at work.")
    else:
        yield Finding("problem", "No worker is at work: start flask worker.")
    long_ago = func.now() - LATE
    due = Queued.status == "todo", func.coalesce(Queued.scheduled_at, Job.created_at) < long_ago
    if number := db.session.scalar(
        select(func.count(Queued.id)).join(Job, Job.id == Queued.id).where(*due)
    ):
        yield Finding("warning", f"{_jobs(number)} waited too long: start more workers.")
    failed = select(func.count()).where(Queued.status == "failed")
    if number := db.session.scalar(failed):
        yield Finding("warning", f"{_jobs(number)} failed: flask jobs list --status failed.")


def _jobs(number: int) -> str:
    return "1 job has" if number == 1 else f"{number:,} jobs have"
