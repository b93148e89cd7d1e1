"""Alive and ready, and the difference between them."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from config import NAME, Config
from project import create_app
from project.db import db
from project.embedded import Cluster
from project.http.app import App
from tests.conftest import SECRET, administration, cloned, migrate

QUICK = {"fsync": "off", "max_connections": "20", "shared_buffers": "16MB"}


@pytest.fixture
def own(postgres: str, template: str) -> Iterator[App]:
    """An application whose database may be spoiled."""
    with cloned(postgres, template, f"health_{secrets.token_hex(6)}") as url:
        app = create_app(Config(database_url=url, secret_key=SECRET))
        yield app
        with app.app_context():
            db.engine.dispose()


def not_ready(app: App) -> dict[str, Any]:
    client = app.test_client()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
    assert int(answer.headers["Retry-After"]) >= 1
    assert client.get("/healthz").status_code == 200
    return dict(answer.json or {})


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/healthz/", "/readyz/"])
def test_a_sound_service_is_alive_and_ready(app: App, path: str) -> None:
    answer = app.test_client().get(path)
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})
    assert answer.headers["X-Request-Id"]


def test_being_alive_asks_the_database_nothing(client: FlaskClient, statements: list[str]) -> None:
    assert client.get("/healthz").status_code == 200
    assert statements == []


@pytest.mark.parametrize(
    ("spoil", "at", "advice"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "9999", "deploy the release"),
        ("DELETE FROM alembic_version", "no revision", "flask db upgrade"),
        ("DROP TABLE alembic_version", "no revision", "flask db upgrade"),
    ],
)
def test_a_schema_of_another_release_is_not_ready(
    own: App, spoil: str, at: str, advice: str
) -> None:
    assert own.test_client().get("/readyz").status_code == 200
    with administration(own.config["SQLALCHEMY_DATABASE_URI"]) as run:
        run(spoil)
    problem = not_ready(own)
    assert problem["code"] == "wrong_schema"
    assert at in problem["detail"]
    assert advice in problem["detail"]


def test_a_database_without_this_one_or_this_user_is_not_ready(postgres: str) -> None:
    for url in ("postgresql+psycopg2://x@127.0.0.1:1/x", f"{postgres}&application_name=x"):
        app = create_app(
            Config(database_url=url.replace(f"/{NAME}?", "/no_such?"), secret_key=SECRET)
        )
        problem = not_ready(app)
        assert problem["code"] == "unavailable"
        assert "no_such" not in problem["detail"]


def test_a_server_that_stands_still_is_told_in_time_and_comes_back(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, QUICK, grace=0.5)
    url = cluster.ensure()
    try:
        migrate(url)
        app = create_app(Config(database_url=url, secret_key=SECRET))
        assert app.test_client().get("/readyz").status_code == 200
        server = cluster.status()["pid"]
        assert isinstance(server, int)
        os.kill(server, signal.SIGSTOP)
        try:
            began = time.monotonic()
            assert not_ready(app)["code"] == "unavailable"
            assert time.monotonic() - began < 1.5
        finally:
            os.kill(server, signal.SIGCONT)
        assert app.test_client().get("/readyz").status_code == 200
    finally:
        cluster.stop()
        cluster.release()
    assert not_ready(app)["code"] == "unavailable"


def test_whoever_asks_whether_we_are_alive_asks_no_database(
    client: FlaskClient, signed_in: dict[str, str], statements: list[str]
) -> None:
    assert client.get("/healthz", headers=signed_in).status_code == 200
    assert statements == []
