"""How the real database's refusals are answered, SQLSTATE by SQLSTATE."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import psycopg2
import pytest
from sqlalchemy.exc import DBAPIError, ProgrammingError

from config import NAME
from project import meters
from project.db import db
from project.errors import Invalid, Refusal, Unavailable
from tests.conftest import administration, headers_of
from tests.db.conftest import Bench, run
from tests.samples.make import make_sample

SETTINGS = {
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
    "TimeZone": "UTC",
    "application_name": NAME,
    "transaction_isolation": "read committed",
}


@pytest.fixture(autouse=True)
def new_connections(bench: Bench) -> Iterator[None]:
    """What a test has cut is not the next one's to find."""
    yield
    with bench.app.app_context():
        db.engine.dispose()


def raising(state: str) -> None:
    run(f"DO $$ BEGIN RAISE EXCEPTION 'secret' USING ERRCODE = '{state}'; END $$")


@contextmanager
def somebody(url: str) -> Iterator[Any]:
    """A cursor of another session, in a transaction that is rolled back."""
    plain = url.replace("postgresql+psycopg2", "postgresql")
    with closing(psycopg2.connect(plain)) as connection, connection.cursor() as cursor:
        yield cursor


def unavailable(answer: Any, code: str = "unavailable") -> None:
    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
    assert answer.json["code"] == code
    assert int(answer.headers["Retry-After"]) >= 1


def hang_up(bench: Bench) -> None:
    """Let the server end the connection of the work under way."""
    pid = run("SELECT pg_backend_pid()")
    with administration(bench.url) as do:
        do("SELECT pg_terminate_backend(%s, 5000)", pid)


def cut_off_everybody(bench: Bench) -> None:
    """Let the server end all connections but this one."""
    with administration(bench.url) as do:
        do(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_the_limits_live_in_every_connection(bench: Bench) -> None:
    for ask in (bench.get, bench.post):
        assert ask(lambda: {name: run(f"SHOW {name}") for name in SETTINGS}).json == {
            "found": SETTINGS
        }


@pytest.mark.parametrize(
    "state", ["08000", "08006", "53300", "53100", "57P01", "57P02", "57P03", "25006", "25P03"]
)
def test_a_database_that_is_away_is_503(bench: Bench, state: str) -> None:
    unavailable(bench.get(lambda: raising(state)))
    unavailable(bench.post(lambda: raising(state)))


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03", "57014"])
def test_a_database_that_is_busy_is_503(bench: Bench, state: str) -> None:
    unavailable(bench.get(lambda: raising(state)), "busy")
    unavailable(bench.post(lambda: raising(state)), "busy")


@pytest.mark.parametrize("state", ["22000", "22001", "22003", "22P02", "22021", "22P05"])
def test_a_value_that_does_not_fit_is_422(bench: Bench, state: str) -> None:
    answer = bench.post(lambda: raising(state))
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_fields")
    assert answer.json["errors"][0]["code"] == "out_of_range"
    assert "secret" not in answer.text


@pytest.mark.parametrize("state", ["42601", "P0001", "23502", "23503", "XX000", "0A000"])
def test_anything_else_stays_a_bug(bench: Bench, state: str) -> None:
    answer = bench.post(lambda: raising(state))
    assert (answer.status_code, answer.json["code"]) == (500, "internal_error")
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("SELECT 99999999999 :: int", "22003"),
        ("SELECT 1/0", "22012"),
        ("SELECT 'x' :: int", "22P02"),
        ("INSERT INTO samples (name, price) VALUES (repeat('x', 256), 1)", "22001"),
        ("INSERT INTO samples (name, price) VALUES ('x', 1e9)", "22003"),
    ],
)
def test_real_data_errors_are_invalid_fields(bench: Bench, statement: str, code: str) -> None:
    with bench.app.app_context():
        with pytest.raises(Invalid) as caught:
            run(statement)
        assert getattr(caught.value.__cause__, "pgcode", "") == code
        db.session.rollback()


def test_a_constraint_without_a_sentence_stays_a_bug(bench: Bench) -> None:
    with bench.app.app_context():
        with pytest.raises(DBAPIError, match="ck_samples_price_range"):
            run("INSERT INTO samples (name, price) VALUES ('x', 0)")
        db.session.rollback()
        with pytest.raises(DBAPIError, match="ck_samples_price_range"):
            run("INSERT INTO samples (name, price) VALUES ('x', 'NaN')")
        db.session.rollback()


def told(meter: str, **labels: str) -> float:
    """What this process has counted so far."""
    return meters.REGISTRY.get_sample_value(f"{NAME}_database_{meter}", labels) or 0.0


@contextmanager
def counted(kind: str, times: int = 1) -> Iterator[None]:
    """What happens inside is counted as errors of this kind."""
    before = told("errors_total", kind=kind)
    yield
    assert told("errors_total", kind=kind) - before == times


def test_a_statement_that_takes_too_long_is_503(bench: Bench) -> None:
    def slow() -> None:
        run("SET LOCAL statement_timeout = 20")
        run("SELECT pg_sleep(5)")

    with counted("timeout"):
        unavailable(bench.post(slow), "busy")


def test_a_lock_that_takes_too_long_is_503(bench: Bench) -> None:
    id = bench.post(lambda: make_sample().id).json["found"]

    def wait() -> None:
        run("SET LOCAL lock_timeout = 20")
        run("UPDATE samples SET amount = 1 WHERE id = :id", id=id)

    with somebody(bench.url) as other:
        other.execute("SELECT FROM samples WHERE id = %s FOR UPDATE", [id])
        unavailable(bench.post(wait), "busy")
    assert bench.post(wait).status_code == 200


def test_a_pool_without_a_free_connection_is_503(bench: Bench) -> None:
    with bench.app.app_context():
        pool: Any = db.engine.pool
        patience, pool._timeout = pool._timeout, 0.05
        before = told("pool_connections_in_use", pool="requests")
        with ExitStack() as taken, counted("pool_timeout", times=2):
            for _ in range(pool.size()):
                taken.enter_context(db.engine.connect())
            in_use = told("pool_connections_in_use", pool="requests") - before
            assert in_use == pool.checkedout() == pool.size()
            for ask in (bench.get, bench.post):
                unavailable(ask_elsewhere(bench, ask), "busy")
        assert told("pool_connections_in_use", pool="requests") == before
        assert patience == 3
        pool._timeout = patience
    assert bench.get(lambda: run("SELECT 1")).status_code == 200


def ask_elsewhere(bench: Bench, ask: Any) -> Any:
    """In a thread, so in an application context of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(ask, lambda: run("SELECT 1")).result(10)


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_connection_cut_in_mid_request_is_503_and_the_next_is_well(
    bench: Bench, method: str
) -> None:
    def cut() -> None:
        hang_up(bench)
        run("SELECT 1")

    unavailable(getattr(bench, method)(cut))
    for _ in range(3):
        assert bench.get(lambda: run("SELECT 1")).status_code == 200


def test_a_connection_cut_before_the_commit_is_503_and_nothing_is_kept(bench: Bench) -> None:
    def cut() -> None:
        run("INSERT INTO samples (name, price) VALUES ('half done', 1)")
        hang_up(bench)

    unavailable(bench.post(cut), "outcome_unknown")
    assert bench.get(lambda: run("SELECT 1 FROM samples WHERE name = 'half done'")).json == {
        "found": None
    }


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_pool_does_not_miss_a_connection_that_dies_after_its_last_statement(
    bench: Bench, method: str
) -> None:
    ask = getattr(bench, method)
    answers = [ask(lambda: hang_up(bench)).status_code for _ in range(5)]
    assert set(answers) <= {200, 503}
    with bench.app.app_context():
        pool: Any = db.engine.pool
        assert pool.checkedout() == 0


def test_idle_connections_cut_behind_our_back_cost_one_answer_at_most(bench: Bench) -> None:
    bench.get(lambda: run("SELECT 1"))
    cut_off_everybody(bench)
    answers = [bench.get(lambda: run("SELECT 1")).status_code for _ in range(4)]
    assert set(answers) <= {200, 503}
    assert answers.count(503) <= 1


def test_connections_that_threads_keep_cost_one_answer_at_most_as_well(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.app.extensions["limits"], "counter", None)  # which has its own

    def ask() -> int:
        return bench.client.get("/api/v1/samples/999999999").status_code

    with ExitStack() as stack:
        threads = [stack.enter_context(ThreadPoolExecutor(1)) for _ in range(3)]
        assert {thread.submit(ask).result() for thread in threads} == {404}
        cut_off_everybody(bench)
        answers = [thread.submit(ask).result() for thread in threads]
    assert sorted(answers) == [404, 404, 503]


def test_what_the_session_finds_out_no_thread_has_to_find_out_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.app.extensions["limits"], "counter", None)  # which has its own

    def ask() -> int:
        return bench.client.get("/api/v1/samples/999999999").status_code

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(ask).result() == 404
        assert bench.get(lambda: run("SELECT 1")).status_code == 200
        cut_off_everybody(bench)
        unavailable(bench.get(lambda: run("SELECT 1")))
        assert thread.submit(ask).result() == 404


def test_a_connection_cut_behind_the_back_of_a_statement_that_also_finds_out_who_acts_is_503(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.app.extensions["limits"], "counter", None)  # which would ask first
    headers, sample = headers_of(bench.app), {"name": "Cut", "price": "1.00"}
    cut_off_everybody(bench)
    unavailable(bench.client.post("/api/v1/samples/", json=sample, headers=headers))
    again = bench.client.post("/api/v1/samples/", json=sample, headers=headers)
    assert again.status_code == 201


def test_a_server_that_is_not_there_is_503() -> None:
    absent = Bench("postgresql+psycopg2://nobody@127.0.0.1:1/nothing")
    for answer in (
        absent.get(lambda: run("SELECT 1")),
        absent.client.get("/api/v1/samples/"),
        absent.client.get("/readyz"),
        absent.client.post("/api/v1/auth/login", json={"login": "a", "password": "b"}),
    ):
        unavailable(answer)
    assert absent.client.get("/healthz").status_code == 200


def test_every_refusal_is_of_the_family(bench: Bench) -> None:
    with bench.app.app_context():
        with pytest.raises(Unavailable) as caught:
            raising("57014")
        assert isinstance(caught.value, Refusal)
        assert caught.value.code == "busy"
        db.session.rollback()


def test_a_bug_in_a_statement_is_logged_without_what_was_in_it(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    two_rows = "SELECT CAST(:secret AS text) WHERE 1 = (SELECT generate_series(1, 2))"
    value = secrets.token_hex(8)  # not in any line of code that a traceback shows
    answer = bench.post(lambda: run(two_rows, secret=value))
    assert answer.status_code == 500
    logged = capsys.readouterr().err
    assert "generate_series" in logged
    assert value not in logged


def test_a_broken_constraint_is_logged_without_the_row(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    value = secrets.token_hex(8)
    statement = "INSERT INTO users (username, email, hashed_password) VALUES ('ab', 'a', :hashed)"
    assert bench.post(lambda: run(statement, hashed=value)).status_code == 500
    logged = capsys.readouterr().err
    assert "ck_users_username_length" in logged
    assert value not in logged


def test_what_the_driver_itself_cannot_do_keeps_its_words(context: None) -> None:
    with pytest.raises(ProgrammingError, match="can't adapt type 'object'"):
        run("SELECT :value", value=object())


@pytest.mark.parametrize("state", ["23503", "23001"])
def test_what_others_refer_to_is_not_deleted(bench: Bench, state: str) -> None:
    """23001 says so from PostgreSQL 18 on, where the key says RESTRICT."""
    answer = bench.post(lambda: breaking("fk_posts_author_id", state, "Key (id)=(7) is in use"))
    assert (answer.status_code, answer.json["code"]) == (409, "in_use")
    assert answer.json["detail"] == "Others still refer to it; change or delete those first."


def test_a_key_that_leads_nowhere_is_refused_by_its_own_rule(bench: Bench) -> None:
    detail = "Key (author_id)=(7) is not there"
    answer = bench.post(lambda: breaking("fk_posts_author_id", "23503", detail))
    assert (answer.status_code, answer.json["code"]) == (401, "unauthorized")


def breaking(constraint: str, state: str, detail: str) -> None:
    using = f"ERRCODE = '{state}', CONSTRAINT = '{constraint}', DETAIL = '{detail}'"
    run(f"DO $$ BEGIN RAISE EXCEPTION 'secret' USING {using}; END $$")
