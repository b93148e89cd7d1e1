"""How often somebody may: exactly so often, over all workers, and told when again."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, text

from config import Config
from project.db import db
from project.http import limits
from project.http.app import App
from project.http.limits import storage
from tests.conftest import SECRET, administration, cloned, headers_of
from tests.samples import laboratory

PUBLIC = "/api/v1/samples/"
ME = "/api/v1/users/me"
LOGIN = "/api/v1/auth/login"
Make = Callable[..., App]


@pytest.fixture(scope="module")
def url(postgres: str, template: str) -> Iterator[str]:
    with cloned(postgres, template, f"limits_{secrets.token_hex(6)}") as own:
        yield own


@pytest.fixture
def make(url: str) -> Iterator[Make]:
    """Makes applications with these settings, all on one database where nothing is counted yet."""
    made: list[App] = []
    with administration(url) as run:
        run("TRUNCATE rate_limits")

    def make(**settings: Any) -> App:
        made.append(
            laboratory.create(Config(**{"database_url": url, "secret_key": SECRET, **settings}))
        )
        return made[-1]

    yield make
    for app in made:
        with app.app_context():
            db.engine.dispose()
        if app.extensions["limits"].counter is not None:
            store(app).engine.dispose()


def store(app: App) -> storage.PostgresStorage:
    kept: storage.PostgresStorage = app.extensions["limits"].counter.storage
    return kept


def rows(app: App) -> list[tuple[str, int]]:
    with store(app).engine.connect() as connection:
        found = connection.execute(text("SELECT key, hits FROM rate_limits ORDER BY key"))
        return [(key, hits) for key, hits in found]


def change(app: App, statement: str) -> None:
    with store(app).engine.connect() as connection:
        connection.execute(text(statement))


def statuses(client: FlaskClient, number: int, path: str = PUBLIC, **call: Any) -> list[int]:
    return [client.get(path, **call).status_code for _ in range(number)]


def test_who_asks_too_often_learns_what_is_limited_and_when_to_try_again(make: Make) -> None:
    client = make(ratelimit_anonymous="2 per 5 minutes").test_client()
    assert statuses(client, 2) == [200, 200]
    answer = client.get(PUBLIC)
    assert (answer.status_code, answer.content_type) == (429, "application/problem+json")
    wait = int(answer.headers["Retry-After"])
    assert 290 < wait <= 300
    assert answer.headers["RateLimit-Policy"] == '"anonymous";q=2;w=300'
    assert answer.headers["RateLimit"] == f'"anonymous";r=0;t={wait}'
    assert answer.json == {
        "type": "/problems/rate-limited",
        "title": "Rate limited",
        "status": 429,
        "detail": "Too many requests from this address without signing in "
        "(the limit is 2 in 5 minutes); try again in 5 minutes.",
        "code": "rate_limited",
        "request_id": answer.headers["X-Request-Id"],
    }


@pytest.mark.parametrize(
    ("seconds", "read"),
    [
        (1, "1 second"),
        (60, "1 minute"),
        (61, "61 seconds"),
        (121, "3 minutes"),
        (3600, "1 hour"),
        (86_399, "24 hours"),
        (86_400, "1 day"),
    ],
)
def test_a_person_is_never_told_too_short_a_time(make: Make, seconds: int, read: str) -> None:
    refusal = make().extensions["limits"].refusal("login", seconds)
    assert refusal.sentence.endswith(f"(the limit is 10 in 5 minutes); try again in {read}.")


def test_after_the_time_told_it_passes_again_and_not_before(make: Make) -> None:
    client = make(ratelimit_anonymous="1 per 2 seconds").test_client()
    for _ in range(2):
        assert client.get(PUBLIC).status_code == 200
        refused = client.get(PUBLIC)
        wait = int(refused.headers["Retry-After"])
        assert 1 <= wait <= 2
        time.sleep(0.2)
        assert client.get(PUBLIC).status_code == 429
        time.sleep(wait - 0.2)


def test_the_time_told_is_true_whatever_this_machines_clock_says(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, real = make(ratelimit_anonymous="1 per minute").test_client(), time.time
    client.get(PUBLIC)
    for hours in (-9, 9):
        monkeypatch.setattr(time, "time", lambda hours=hours: real() + hours * 3600)
        assert 50 < int(client.get(PUBLIC).headers["Retry-After"]) <= 60


def test_a_window_begins_with_its_first_request(make: Make) -> None:
    app = make(ratelimit_anonymous="2 per minute")
    client = app.test_client()
    assert statuses(client, 4) == [200, 200, 429, 429]
    change(app, "UPDATE rate_limits SET expires_at = now()")
    assert client.get(PUBLIC).status_code == 200
    [(_, hits)] = rows(app)
    assert hits == 1


def test_users_are_counted_apart_from_addresses_and_from_each_other(make: Make) -> None:
    app = make(ratelimit_user="2 per minute", ratelimit_anonymous="1 per minute")
    client, ada, bob = app.test_client(), headers_of(app), headers_of(app)
    assert statuses(client, 2) == [200, 429]
    assert statuses(client, 1, ME, headers=ada) == [200]
    assert statuses(client, 2, headers=ada) == [200, 429]
    assert client.get(ME, headers=ada).headers["RateLimit-Policy"] == '"user";q=2;w=60'
    assert statuses(client, 3, ME, headers=bob) == [200, 200, 429]


@pytest.mark.parametrize("kind", ["Bearer x", "Bearer a.b.c", "Basic eA==", "Bearer ", "", "é"])
def test_a_token_that_is_none_of_ours_does_not_make_a_user(make: Make, kind: str) -> None:
    client = make(ratelimit_anonymous="1 per minute").test_client()
    assert statuses(client, 2, headers={"Authorization": kind}) == [200, 429]


def test_a_forged_token_does_not_count_for_its_user(make: Make) -> None:
    app = make(ratelimit_anonymous="1 per minute", ratelimit_user="1 per minute")
    ada = headers_of(app)
    head, claims, _ = ada["Authorization"].split(".")
    forged = {"Authorization": f"{head}.{claims}.{'A' * 43}"}
    assert statuses(app.test_client(), 2, headers=forged) == [200, 429]
    assert statuses(app.test_client(), 2, headers=ada) == [200, 429]


def test_who_is_refused_for_not_signing_in_has_spent_nothing(make: Make) -> None:
    client = make(ratelimit_anonymous="1 per minute").test_client()
    assert statuses(client, 3, ME) == [401] * 3
    assert statuses(client, 2) == [200, 429]


def test_what_a_user_may_not_do_counts_all_the_same(make: Make) -> None:
    app = make(ratelimit_user="2 per minute")
    found = statuses(app.test_client(), 3, "/api/v1/users/", headers=headers_of(app))
    assert found == [403, 403, 429]


def test_tries_of_a_password_are_limited_by_account_whatever_the_address(make: Make) -> None:
    app = make(ratelimit_login="2 per minute")
    tries = [("ada@example.org", 401), ("ADA@example.org", 401), ("Ada@Example.org", 429)]
    for number, (login, status) in enumerate([*tries, ("bob@example.org", 401)]):
        answer = app.test_client().post(
            LOGIN,
            json={"login": login, "password": "wrong one"},
            environ_base={"REMOTE_ADDR": f"203.0.113.{number}"},
        )
        assert answer.status_code == status
        assert answer.headers.get("RateLimit-Policy") in (None, '"login";q=2;w=60')


def test_tries_of_a_password_are_limited_by_address_and_a_rollback_forgets_none(
    make: Make,
) -> None:
    client = make(ratelimit_login_address="2 per minute").test_client()
    for number, status in enumerate([401, 401, 429]):
        sent = {"login": f"user{number}", "password": "wrong one"}
        assert client.post(LOGIN, json=sent).status_code == status


def test_no_key_can_be_read_as_what_a_caller_typed(make: Make) -> None:
    app = make()
    app.test_client().post(LOGIN, json={"login": "ada@example.org", "password": "wrong one"})
    keys = [key for key, _ in rows(app)]
    assert [key.split("/")[1] for key in keys] == ["anonymous", "login", "login_address"]
    assert re.fullmatch("LIMITER/login/[0-9a-f]{64}/10/5/minute", keys[1])


def test_health_is_never_limited_and_never_counted(make: Make) -> None:
    app = make(ratelimit_anonymous="1 per day")
    assert statuses(app.test_client(), 3, "/healthz") == [200] * 3
    assert statuses(app.test_client(), 3, "/readyz") == [200] * 3
    assert rows(app) == []


def test_a_request_costs_one_statement_and_a_refusal_one_more(make: Make) -> None:
    app, seen = make(ratelimit_anonymous="1 per minute"), []
    event.listen(store(app).engine, "before_cursor_execute", lambda *it: seen.append(it[2]))
    assert statuses(app.test_client(), 2) == [200, 429]
    assert seen == [storage.HIT, storage.HIT, storage.LEFT]


def test_disabled_limits_ask_the_database_nothing(make: Make) -> None:
    app, seen = make(ratelimit_enabled=False, ratelimit_anonymous="1 per minute"), []

    def listen(*it: Any) -> None:
        seen.append(it[2])

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        assert statuses(app.test_client(), 3) == [200] * 3
    finally:
        event.remove(Engine, "before_cursor_execute", listen)
    assert [statement for statement in seen if "rate_limits" in statement] == []


def test_two_applications_in_one_process_keep_their_own_limits(make: Make) -> None:
    one, other = (make(ratelimit_anonymous=f"{n} per minute").test_client() for n in (1, 2))
    assert statuses(one, 2) == [200, 429]
    assert statuses(other, 3) == [200, 200, 429]
    assert statuses(make(ratelimit_anonymous="2 per minute").test_client(), 1) == [429]


def test_what_has_expired_goes_away_and_nothing_else(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make()
    for name in "abc":
        store(app).incr(name, 60)
    change(app, "UPDATE rate_limits SET expires_at = now() WHERE key <> 'a'")
    monkeypatch.setattr(storage, "SELDOM", 1)
    store(app).incr("d", 60)
    assert rows(app) == [("a", 1), ("d", 1)]


def test_sweeping_waits_for_nobody(make: Make) -> None:
    app = make()
    for name in "ab":
        store(app).incr(name, 60)
    change(app, "UPDATE rate_limits SET expires_at = now()")
    with app.app_context():
        db.session.execute(text("SELECT FROM rate_limits WHERE key = 'a' FOR UPDATE"))
        store(app).sweep()
        assert rows(app) == [("a", 1)]
        db.session.rollback()


def test_no_request_fails_because_sweeping_does(
    make: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client = make().test_client()
    monkeypatch.setattr(storage, "SELDOM", 1)
    for broken in ("SELECT 1 / 0", "SELECT nothing", "DELETE FROM no_such_table"):
        monkeypatch.setattr(storage, "SWEEP", broken)
        assert client.get(PUBLIC).status_code == 200
    assert capsys.readouterr().err.count('"rate_limits.not_swept"') == 3


def test_no_number_of_requests_is_too_large_to_count(make: Make) -> None:
    app = make(ratelimit_anonymous="1 per minute")
    app.test_client().get(PUBLIC)
    change(app, "UPDATE rate_limits SET hits = 2147483647")
    assert statuses(app.test_client(), 2) == [429, 429]


def test_the_storage_does_all_that_its_library_may_ask(make: Make) -> None:
    kept = store(make())
    assert kept.check()
    assert [kept.incr("a", 60), kept.incr("a", 60, amount=3), kept.get("a")] == [1, 4, 4]
    assert 50 < kept.get_expiry("a") - time.time() <= 60
    kept.clear("a")
    assert (kept.get("a"), kept.get_expiry("a") - time.time() <= 0) == (0, True)
    kept.incr("b", 60)
    kept.reset()
    assert kept.get("b") == 0


def test_counting_has_the_embedded_server_started_like_any_question(url: str) -> None:
    asked: list[str] = []

    def ensure() -> str:
        asked.append("start")
        return "its URL"

    kept = storage.PostgresStorage(url, ensure)
    assert asked == []
    kept.incr("embedded", 60)
    assert asked == ["start"]
    kept.engine.dispose()


def test_counters_are_not_written_to_the_log_of_the_database(url: str) -> None:
    with administration(url) as run:
        unlogged = "SELECT FROM pg_class WHERE relname = 'rate_limits' AND relpersistence = 'u'"
        assert run(unlogged) == 1


def test_a_database_that_is_away_is_503(make: Make) -> None:
    answer = make(database_url="postgresql+psycopg2://nobody@127.0.0.1:1/x").test_client().get(ME)
    assert answer.status_code == 401
    away = make(database_url="postgresql+psycopg2://nobody@127.0.0.1:1/x").test_client().get(PUBLIC)
    assert (away.status_code, dict(away.json or {})["code"]) == (503, "unavailable")
    assert int(away.headers["Retry-After"]) >= 1


def test_counters_cut_off_by_the_database_cost_one_answer(make: Make) -> None:
    app = make()
    client = app.test_client()
    assert client.get(PUBLIC).status_code == 200
    with store(app).engine.connect() as connection:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
    with administration(app.config["SQLALCHEMY_DATABASE_URI"]) as run:
        run("SELECT pg_terminate_backend(%s, 5000)", pid)
    assert statuses(client, 3) == [503, 200, 200]


def test_counters_that_find_no_connection_in_time_are_503(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make()
    engine = store(app).engine
    monkeypatch.setattr(engine.pool, "_timeout", 0.05)
    with engine.connect(), engine.connect():
        answer = app.test_client().get(PUBLIC)
    assert (answer.status_code, dict(answer.json or {})["code"]) == (503, "busy")
    assert app.test_client().get(PUBLIC).status_code == 200


TRUSTED = Config.from_env(
    {"TRUSTED_PROXIES": "10.0.0.0/8, 2001:db8:ffff::/48, 127.0.0.1", "SECRET_KEY": SECRET}
).trusted_proxies


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("203.0.113.9", "10.0.0.1", "203.0.113.9"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1,198.51.100.1,10.0.0.2 , 10.9.9.9", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, nonsense, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "nonsense, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, 198.51.100.1:80", "10.0.0.1"),
        ("10.0.0.1", ", , ,", "10.0.0.1"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("::ffff:203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("2001:db8:ffff::1", "2001:DB8:0:0::0005", "2001:db8::5"),
        ("fe80::1%eth0", None, "fe80::1"),
        ("", "198.51.100.1", "198.51.100.1"),
    ],
)
def test_only_a_proxy_of_ours_is_believed_about_where_a_request_comes_from(
    make: Make, peer: str, forwarded: str | None, address: str
) -> None:
    app = make(trusted_proxies=TRUSTED)
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    with app.test_request_context(headers=headers, environ_base={"REMOTE_ADDR": peer}):
        assert limits.address() == address


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_all_addresses_of_one_subscriber_are_limited_as_one(
    make: Make, peer: str, network: str
) -> None:
    app = make(ratelimit_anonymous="1 per minute")
    with app.test_request_context(environ_base={"REMOTE_ADDR": peer}):
        assert limits.network() == network
    for number, status in ((1, 200), (2, 429)):
        sent = {"REMOTE_ADDR": f"2001:db8:1:2::{number}"}
        assert app.test_client().get(PUBLIC, environ_base=sent).status_code == status


def test_the_document_tells_the_limits_as_they_are_set(make: Make) -> None:
    client = make(ratelimit_enabled=False, ratelimit_login="7 per hour").test_client()
    paths = dict(client.get("/api/v1/openapi.json").json or {})["paths"]
    shown = paths[LOGIN]["post"]["responses"]["429"]["content"]["application/problem+json"]
    told = " ".join(example["summary"] for example in shown["examples"].values())
    for words in (
        "account's password (the limit is 7 in 1 hour)",
        "address (the limit is 100 in 5 minutes)",
    ):
        assert words in told


def test_a_crowd_gets_exactly_the_limit_from_all_workers_and_a_restart_forgives_nobody(
    postgres: str, template: str, tmp_path: Path
) -> None:
    settings = {"RATELIMIT_ENABLED": "true", "RATELIMIT_ANONYMOUS": "20 per 10 minutes"}
    with cloned(postgres, template, f"crowd_{secrets.token_hex(4)}") as own:
        server = laboratory.Laboratory(own, tmp_path, SECRET, **settings)
        with server, ThreadPoolExecutor(60) as crowd:
            found = [status for status, *_ in crowd.map(server.call, ["GET"] * 60, [PUBLIC] * 60)]
        assert (found.count(200), found.count(429)) == (20, 40)
        with server:
            for forged in ("198.51.100.1", "127.0.0.1", "::1", "a, b", ""):
                headers = {"X-Forwarded-For": forged, "Forwarded": f"for={forged}"}
                assert server.call("GET", PUBLIC, headers=headers)[0] == 429
            assert server.call("GET", "/readyz")[0] == 200


def test_behind_a_proxy_of_ours_callers_are_told_apart_and_cannot_choose_who_they_are(
    postgres: str, template: str, tmp_path: Path
) -> None:
    settings = {
        "RATELIMIT_ENABLED": "true",
        "RATELIMIT_ANONYMOUS": "2 per 10 minutes",
        "TRUSTED_PROXIES": "127.0.0.1",
    }
    with (
        cloned(postgres, template, f"proxy_{secrets.token_hex(4)}") as own,
        laboratory.Laboratory(own, tmp_path, SECRET, **settings) as server,
    ):
        for forwarded, status in (
            ("198.51.100.1", 200),
            ("6.6.6.6, 198.51.100.1", 200),
            ("7.7.7.7, 198.51.100.1", 429),
            ("198.51.100.1, 198.51.100.2", 200),
            ("198.51.100.2", 200),
            ("198.51.100.2", 429),
        ):
            found = server.call("GET", PUBLIC, headers={"X-Forwarded-For": forwarded})
            assert found[0] == status, forwarded
