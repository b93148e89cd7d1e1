"""A request that met others in its way is done again from its start; nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

import pytest
from flask import request
from werkzeug.test import TestResponse

from project.db import announce, db
from project.errors import Conflict, Forbidden, Invalid, NotFound, Refused, Stale, Unavailable
from tests.answers import problem, replayed
from tests.conftest import administration, headers_of
from tests.db.conftest import Bench, run
from tests.db.test_refusals import hang_up
from tests.samples.make import make_sample
from tests.users.make import PASSWORD, make_user

NEW = {"name": "Lamp", "price": "29.90"}
ROOMS = ["samples", "products"]  # as all rooms do it; and a guard, an item, events in one statement
CONTENDED = ["40001", "40P01"]
# A sequence is not rolled back, so the database itself counts the tries. The first so many fail, at
# the statement or at the commit.
IN_THE_WAY = """
CREATE SEQUENCE tries;
CREATE FUNCTION in_the_way() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('tries') <= TG_ARGV[0]::int THEN
        RAISE EXCEPTION 'secret' USING ERRCODE = TG_ARGV[1];
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER in_the_way AFTER INSERT ON {table}
    DEFERRABLE INITIALLY {when} FOR EACH ROW EXECUTE FUNCTION in_the_way({times}, '{state}');
"""
NO_MORE = "DROP FUNCTION in_the_way() CASCADE; DROP SEQUENCE tries"
WHEN = {"at the statement": "IMMEDIATE", "at the commit": "DEFERRED"}
at_either = pytest.mark.parametrize("when", WHEN.values(), ids=WHEN)


@pytest.fixture(autouse=True)
def nothing_there(bench: Bench) -> Iterator[None]:
    """Nothing is there or counted before; what a test has cut is not the next one's to find."""
    with administration(bench.url) as do:
        for table in (*ROOMS, "users", "idempotency_keys", "rate_limits"):
            do(f"DELETE FROM {table}")
    yield
    with bench.app.app_context():
        db.engine.dispose()


@contextmanager
def in_the_way(
    bench: Bench, times: int, state: str, when: str, table: str = "samples"
) -> Iterator[Callable[[], int]]:
    """So many inserts fail with this SQLSTATE; how many there were, whatever became of them."""
    with administration(bench.url) as do:
        do(IN_THE_WAY.format(times=times, state=state, when=when, table=table))
    try:
        yield lambda: number(bench, "SELECT last_value FROM tries WHERE is_called")
    finally:
        with administration(bench.url) as do:
            do(NO_MORE)


def number(bench: Bench, question: str) -> int:
    with bench.app.app_context():
        return int(run(question) or 0)


def rows(bench: Bench, table: str) -> int:
    return number(bench, f"SELECT count(*) FROM {table}")


def hits(bench: Bench) -> dict[str, int]:
    """How often each limit has counted."""
    with bench.app.app_context():
        found = run("SELECT json_object_agg(split_part(key, '/', 2), hits) FROM rate_limits")
    return dict(found or {})


def events(capsys: pytest.CaptureFixture[str]) -> list[str]:
    logged = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    return [line["event"] for line in logged]


@pytest.fixture(params=ROOMS)
def room(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def create(bench: Bench, room: str, headers: dict[str, str], key: str | None) -> TestResponse:
    named = {} if key is None else {"Idempotency-Key": key}
    return bench.client.post(f"/api/v1/{room}/", json=NEW, headers={**headers, **named})


@at_either
@pytest.mark.parametrize("key", [None, "a-key"])
@pytest.mark.parametrize("state", CONTENDED)
@pytest.mark.parametrize("times", [1, 2])
def test_what_others_were_in_the_way_of_is_done_again_and_told_and_counted_once(
    bench: Bench,
    room: str,
    capsys: pytest.CaptureFixture[str],
    when: str,
    key: str | None,
    state: str,
    times: int,
) -> None:
    headers = headers_of(bench.app)
    with in_the_way(bench, times, state, when, room) as tries:
        capsys.readouterr()
        first = create(bench, room, headers, key)
        assert (first.status_code, tries()) == (201, times + 1)
        assert events(capsys) == [f"{room[:-1]}.created", "request"]
        assert hits(bench) == {"user": 1}
        if key is not None:
            replayed(create(bench, room, headers, key), first)
            assert tries() == times + 1
    assert rows(bench, room) == 1
    assert rows(bench, "idempotency_keys") == (key is not None)


@at_either
@pytest.mark.parametrize("key", [None, "a-key"])
@pytest.mark.parametrize("state", CONTENDED)
def test_what_others_are_in_the_way_of_three_times_is_503_and_leaves_nothing(
    bench: Bench,
    room: str,
    capsys: pytest.CaptureFixture[str],
    when: str,
    key: str | None,
    state: str,
) -> None:
    headers = headers_of(bench.app)
    with in_the_way(bench, 3, state, when, room) as tries:
        capsys.readouterr()
        answer = create(bench, room, headers, key)
        assert "secret" not in answer.text
        problem(answer, 503, "busy")
        assert int(answer.headers["Retry-After"]) >= 1
        assert tries() == 3
        assert events(capsys) == ["request"]
        assert hits(bench) == {"user": 1}
        assert rows(bench, room) == rows(bench, "idempotency_keys") == 0
        again = create(bench, room, headers, key)  # the fourth gets through
        assert (again.status_code, "Idempotent-Replayed" in again.headers) == (201, False)
    assert rows(bench, room) == 1


@at_either
def test_an_answer_that_cannot_be_kept_leaves_no_effect(
    bench: Bench, room: str, capsys: pytest.CaptureFixture[str], when: str
) -> None:
    headers = headers_of(bench.app)
    with in_the_way(bench, 1, "P0001", when, "idempotency_keys"):
        problem(create(bench, room, headers, "a-key"), 500, "internal_error")
        assert f"{room[:-1]}.created" not in events(capsys)
        assert rows(bench, room) == rows(bench, "idempotency_keys") == 0
        first = create(bench, room, headers, "a-key")
        replayed(create(bench, room, headers, "a-key"), first)


OTHERS = {  # what is no contention, though some of it says busy, and what is answered
    "40000": (503, "busy"),
    "55P03": (503, "busy"),
    "57014": (503, "busy"),
    "57P01": (503, "unavailable"),
    "08006": (503, "unavailable"),
    "53300": (503, "unavailable"),
    "22003": (422, "invalid_fields"),
    "P0001": (500, "internal_error"),
    "23514": (500, "internal_error"),
}


@at_either
@pytest.mark.parametrize("key", [None, "a-key"])
@pytest.mark.parametrize("state", OTHERS)
def test_no_other_complaint_of_the_database_is_a_reason_to_try_again(
    bench: Bench, room: str, when: str, key: str | None, state: str
) -> None:
    headers = headers_of(bench.app)
    with in_the_way(bench, 1, state, when, room) as tries:
        answer = create(bench, room, headers, key)
        status, code = OTHERS[state]
        if (when, code) == ("DEFERRED", "unavailable"):
            code = "outcome_unknown"
        problem(answer, status, code)
        assert tries() == 1
        assert rows(bench, room) == rows(bench, "idempotency_keys") == 0
        assert create(bench, room, headers, key).status_code == 201


@pytest.mark.parametrize(
    "wrong",
    [
        *(kind("No.") for kind in (Refused, NotFound, Conflict, Stale, Forbidden, Unavailable)),
        Unavailable("No.", code="busy"),
        Invalid([{"in": "body", "field": "x", "code": "y", "message": "No."}]),
        RuntimeError("a bug"),
    ],
    ids=repr,
)
def test_no_refusal_and_no_bug_is_a_reason_to_try_again(bench: Bench, wrong: Exception) -> None:
    tries = []

    def work() -> None:
        tries.append(1)
        make_sample()
        raise wrong

    assert bench.post(work).status_code >= 400
    assert len(tries) == 1
    assert rows(bench, "samples") == 0


@pytest.mark.parametrize(
    ("then", "code"),
    [(lambda: None, "outcome_unknown"), (lambda: run("SELECT 1"), "unavailable")],
    ids=["at the commit", "before"],
)
def test_a_connection_that_was_lost_is_no_reason_to_try_again(
    bench: Bench, then: Callable[[], Any], code: str
) -> None:
    tries = []

    def work() -> None:
        tries.append(1)
        run("INSERT INTO samples (name, price) VALUES ('lost', 1)")
        hang_up(bench)
        then()

    problem(bench.post(work), 503, code)
    assert len(tries) == 1


def test_a_try_begins_with_nothing_of_the_one_before(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither its rows, nor its events, nor what it had loaded."""
    tries: list[int] = []

    def work() -> list[int]:
        tries.append(run("SELECT pg_current_xact_id()::text::bigint"))
        assert run("SELECT count(*) FROM samples") == 0
        assert len(db.session.identity_map) == 0
        make_sample(name="Lamp")
        announce(f"try {len(tries)}")
        if len(tries) < 3:
            run("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$")
        return tries

    assert bench.post(work).status_code == 200
    assert len(set(tries)) == 3
    assert [event for event in events(capsys) if event != "request"] == ["sample.created", "try 3"]
    assert rows(bench, "samples") == 1


def test_what_a_view_counts_itself_is_counted_once_too(bench: Bench) -> None:
    with bench.app.app_context():
        make_user(username="ada")
        db.session.commit()
    with in_the_way(bench, 2, "40001", "IMMEDIATE", "sessions") as tries:
        sent = {"login": "ada", "password": PASSWORD}
        assert bench.client.post("/api/v1/auth/login", json=sent).status_code == 200
        assert tries() == 3
    assert hits(bench) == {"anonymous": 1, "login": 1, "login_address": 1}
    assert rows(bench, "sessions") == 1


def test_reading_is_not_tried_again(bench: Bench) -> None:
    """It holds nothing that others could wait for, and whoever asks can ask again."""
    tries = []

    def work() -> None:
        tries.append(1)
        run("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$")

    problem(bench.get(work), 503, "busy")
    assert len(tries) == 1


def test_two_requests_that_wait_for_each_other_are_both_done(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """A real deadlock: each holds the row that the other wants next."""
    with bench.app.app_context():
        ids = [make_sample(amount=0).id for _ in range(2)]
        db.session.commit()
    both_hold_one, tries = Barrier(2), list[str]()

    def work() -> None:
        order = request.args["order"]
        tries.append(order)
        first, second = ids if order == "up" else ids[::-1]
        more = "UPDATE samples SET version = version + 1 WHERE id = :id"
        run(more, id=first)
        if tries.count(order) == 1:
            both_hold_one.wait(10)
        run(more, id=second)
        announce(f"went {order}")

    bench.work = work
    with ThreadPoolExecutor(2) as pool:
        answers = list(
            pool.map(lambda way: bench.client.post(f"/work?order={way}"), ("up", "down"))
        )
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(tries) == 3  # the server breaks the ring at one of them, which begins anew
    assert number(bench, "SELECT sum(version) FROM samples") == 2 + 4
    assert sorted(event for event in events(capsys) if event != "request") == [
        "went down",
        "went up",
    ]
