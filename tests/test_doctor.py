"""flask doctor tells what a deployment lacks, and only that."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from config import NAME, Config
from project import create_app, doctor
from project.db import db
from project.http.app import App
from tests.conftest import SECRET, cloned
from tests.users.make import make_user

SOUND: dict[str, Any] = {
    "app_env": "production",
    "mail_url": "smtp://mail.example",
    "reset_url": "https://shop.example/{token}",
    "trusted_proxies": (ip_network("10.0.0.1/32"),),
    "trusted_hosts": ("shop.example",),
    "worker_connections": 100,
}


# What tests have otherwise, for the sake of speed.
DURABLE = re.compile(r"current_setting\('fsync'\).*?(?= AS durable)", re.DOTALL)


@pytest.fixture
def app(
    postgres: str, template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[App]:
    """A deployment that lacks nothing, on a database of its own."""
    monkeypatch.setattr(doctor, "SERVER", DURABLE.sub("true", doctor.SERVER))
    with cloned(postgres, template, f"{NAME}_doctor_{secrets.token_hex(4)}") as url:
        config = Config(database_url=url, secret_key=SECRET, data_dir=tmp_path)
        app = create_app(replace(config, **SOUND))
        with app.app_context():
            make_user(is_superuser=True)
            db.session.execute(text("INSERT INTO procrastinate_workers DEFAULT VALUES"))
            db.session.commit()
        yield app
        with app.app_context():
            db.engine.dispose()


def said(app: App) -> tuple[int, list[str]]:
    """The exit code, and what is no good."""
    ended = app.test_cli_runner().invoke(args=["doctor"])
    assert ended.exception is None or isinstance(ended.exception, SystemExit)
    lines = [line for line in ended.output.splitlines() if not line.startswith("good")]
    return ended.exit_code, [line for line in lines if "role is a superuser" not in line]


def test_a_sound_deployment_lacks_nothing(app: App) -> None:
    assert said(app) == (0, [])


def test_a_server_that_may_lose_what_it_acknowledged_is_told(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        quick = db.session.scalar(text("SHOW fsync")) == "off"
    monkeypatch.undo()
    told = any(line.startswith("problem  What was acknowledged") for line in said(app)[1])
    assert told == quick


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"APP_ENV": "development"}, "warning  APP_ENV is not production"),
        ({"MAIL_URL": None}, "warning  Nobody gets a mail"),
        ({"RESET_URL": ""}, "warning  A mail about a lost password"),
        ({"RATELIMIT_ENABLED": False}, "warning  Passwords may be tried"),
        ({"TRUSTED_PROXIES": ()}, "warning  Behind a proxy all callers"),
        ({"TRUSTED_PROXIES": (ip_network("0.0.0.0/0"),)}, "problem  Anybody can claim"),
        ({"TRUSTED_HOSTS": ()}, "warning  Requests for any host"),
        ({"CORS_ORIGINS": ("*",)}, "warning  The pages of any origin"),
        ({"WORKER_CONNECTIONS": 10**9}, "problem  A process may open"),
        ({"THREADS": 1}, "warning  A request that is held up"),
        ({"WEB_CONCURRENCY": 256}, "problem  The server takes"),
    ],
)
def test_a_setting_that_is_wanting_is_named(app: App, changed: dict[str, Any], line: str) -> None:
    before = said(app)[1]
    app.config.update(changed)
    code, lines = said(app)
    [further] = [each for each in lines if each not in before]
    assert further.startswith(line)
    assert code == int(line.startswith("problem"))


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        ("DELETE FROM procrastinate_workers", "problem  No worker is at work"),
        (
            "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'",
            "problem  No worker is at work",
        ),
        ("UPDATE users SET is_superuser = false", "problem  There is no superuser"),
        ("UPDATE users SET is_active = false", "problem  There is no superuser"),
        ("UPDATE alembic_version SET version_num = '0001'", "problem  The database schema is at"),
        (
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status) "
            "VALUES ('default', 'mail.send', 'failed')",
            "warning  1 job has failed",
        ),
        (
            "INSERT INTO procrastinate_jobs (id, queue_name, task_name) "
            "VALUES (1, 'default', 'mail.send'); "
            "INSERT INTO jobs (id, request_id, created_at) VALUES (1, 'r', now() - interval '1h')",
            "warning  1 job has waited",
        ),
    ],
)
def test_what_is_wanting_in_the_database_is_told(app: App, spoil: str, line: str) -> None:
    before = said(app)[1]
    with app.app_context():
        db.session.execute(text(spoil))
        db.session.commit()
    code, lines = said(app)
    [further] = [each for each in lines if each not in before]
    assert further.startswith(line)
    assert code == int(line.startswith("problem"))


def test_a_database_that_is_away_is_the_last_that_is_told(tmp_path: Path) -> None:
    url = "postgresql+psycopg2://nobody:the-password@127.0.0.1:1/nothing"
    config = Config(database_url=url, secret_key=SECRET, data_dir=tmp_path)
    code, lines = said(create_app(replace(config, **SOUND)))
    assert (code, lines) == (1, ["problem  The database is away; try again."])


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://a@127.0.0.1/b", False),
        ("postgresql://a@/b?host=/run/postgresql", False),
        ("postgresql://a@db.example/b", True),
        ("postgresql://a@db.example/b?sslmode=require", True),
        ("postgresql://a@db.example/b?sslmode=verify-full", False),
    ],
)
def test_who_is_far_has_to_prove_who_it_is(url: str, expected: bool) -> None:
    assert doctor.far(url) == expected
