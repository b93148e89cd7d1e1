"""Who may read /metrics, and what is there besides what is counted."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from config import NAME, Config
from project import create_app
from project.db import transaction
from project.embedded import Cluster
from project.http.app import App
from project.jobs import enqueue, enqueue_all
from tests.answers import problem
from tests.conftest import SECRET, migrate
from tests.jobs import laboratory
from tests.metrics.reading import read, scrape, total
from tests.server import Server

TOKEN = "a token of thirty-two bytes, or more"
HERE = ("127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1")
ELSEWHERE = ("10.0.0.7", "203.0.113.9", "::ffff:10.0.0.7", "2001:db8::1", "", "unix:")
PROXIED = {
    "X-Forwarded-For": "127.0.0.1",
    "X-Real-IP": "127.0.0.1",
    "Forwarded": "for=127.0.0.1",
    "Via": "1.1 proxy",
}
UNKNOWN = 'Bearer realm="{}"'


def ask(app: App, peer: str, authorization: str = "", **headers: str) -> TestResponse:
    sent = {**headers, **({"Authorization": authorization} if authorization else {})}
    return app.test_client().get("/metrics", environ_base={"REMOTE_ADDR": peer}, headers=sent)


@pytest.fixture
def guarded(app: App, monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.setitem(app.config, "METRICS_TOKEN", TOKEN)
    return app


@pytest.mark.parametrize("peer", HERE)
def test_a_program_on_this_machine_needs_no_token(app: App, peer: str) -> None:
    answer = ask(app, peer)
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    assert ask(app, peer, "Bearer nonsense").status_code == 200


@pytest.mark.parametrize("peer", ELSEWHERE)
def test_nobody_else_may_while_there_is_no_token(app: App, peer: str) -> None:
    for sent in ("", "Bearer ", f"Bearer {TOKEN}"):
        problem(ask(app, peer, sent), 403, "forbidden")


@pytest.mark.parametrize("peer", ELSEWHERE)
def test_others_may_with_the_token_and_with_no_other(guarded: App, peer: str) -> None:
    wrong = ("", "Bearer", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN)
    for sent in (*wrong, "Bearer ä", f"Bearer {TOKEN.upper()}"):
        answer = ask(guarded, peer, sent)
        problem(answer, 401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == UNKNOWN.format(NAME)
        assert TOKEN not in answer.text
    assert ask(guarded, peer, f"bearer {TOKEN}").status_code == 200


@pytest.mark.parametrize("header", PROXIED)
def test_a_proxy_on_this_machine_brings_others(app: App, guarded: App, header: str) -> None:
    proxied = {header: PROXIED[header]}
    problem(ask(guarded, "127.0.0.1", **proxied), 401, "unauthorized")
    assert ask(guarded, "127.0.0.1", f"Bearer {TOKEN}", **proxied).status_code == 200


def test_a_proxy_that_is_known_brings_others_whatever_it_says(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "TRUSTED_PROXIES", (ip_network("127.0.0.1/32"),))
    problem(ask(app, "127.0.0.1"), 403, "forbidden")
    assert ask(app, "::1").status_code == 200


def test_a_superuser_is_no_watcher(guarded: App, superuser: dict[str, str]) -> None:
    problem(ask(guarded, "10.0.0.7", superuser["Authorization"]), 401, "unauthorized")


def test_a_scrape_uses_up_no_limit(app: App) -> None:
    limited = create_app(
        replace(
            Config(database_url=app.config["DATABASE_URL"], secret_key=SECRET),
            ratelimit_anonymous="1 per hour",
        )
    )
    assert [ask(limited, "127.0.0.1").status_code for _ in range(3)] == [200] * 3


def test_the_queue_is_measured(server: Server, beside: App) -> None:
    with beside.app_context(), transaction():
        enqueue(laboratory.TELL, told="x")
        enqueue_all("laboratory.refuse", [{"told": str(n)} for n in range(3)])
    told = scrape(server)
    assert total(told, "jobs", task=laboratory.TELL, status="todo") == 1
    assert total(told, "jobs", task="laboratory.refuse", status="todo") == 3
    assert 0 <= total(told, "jobs_oldest_due_seconds") < 60
    assert total(told, "job_workers") == 0
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE jobs SET created_at = created_at - interval '1 hour'")
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = 'failed' WHERE task_name = %s",
            [laboratory.TELL],
        )
    told = scrape(server)
    assert total(told, "jobs", task=laboratory.TELL, status="todo") == 0
    assert total(told, "jobs", task=laboratory.TELL, status="failed") == 1
    assert 3600 <= total(told, "jobs_oldest_due_seconds") < 3660


def test_connections_are_measured(server: Server) -> None:
    told = scrape(server)
    assert total(told, "database_up") == 1
    assert total(told, "database_connections") >= 1
    assert total(told, "database_connections_max") > total(told, "database_connections")


def test_a_database_that_stands_still_is_told_in_time(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, {"fsync": "off", "max_connections": "20"}, grace=0.5)
    url = cluster.ensure()
    try:
        migrate(url)
        app = create_app(Config(database_url=url, secret_key=SECRET))
        assert total(read(ask(app, "127.0.0.1").text), "database_up") == 1
        pid: Any = cluster.status()["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            told = read(ask(app, "127.0.0.1").text)
            assert time.monotonic() - began < 5
        finally:
            os.kill(pid, signal.SIGCONT)
        assert total(told, "database_up") == 0
        assert total(told, "http_requests_total", route="/metrics") >= 1
    finally:
        cluster.stop()
        cluster.release()


def test_a_database_without_our_tables_is_up(postgres: str) -> None:
    app = create_app(Config(database_url=postgres, secret_key=SECRET))
    told = read(ask(app, "127.0.0.1").text)
    assert total(told, "database_up") == 1


def test_neither_answer_nor_log_tells_the_token(
    guarded: App, client: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = [ask(guarded, peer, f"Bearer {TOKEN}") for peer in ("127.0.0.1", "10.0.0.7")]
    answers += [ask(guarded, "10.0.0.7", f"Bearer {TOKEN}x")]
    assert [answer.status_code for answer in answers] == [200, 200, 401]
    assert TOKEN not in "".join([*(answer.text for answer in answers), capsys.readouterr().err])
