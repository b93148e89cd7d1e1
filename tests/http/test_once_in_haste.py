"""One key for many at once, and for workers that are killed: a real server keeps its word."""

from __future__ import annotations

import json
import random
import secrets
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest

from config import NAME
from project.http.app import App
from project.http.idempotency import keys
from tests.auth.steps import at_once
from tests.conftest import SECRET, cloned, headers_of
from tests.samples.laboratory import Laboratory
from tests.server import Server
from tests.shelves import SHELVES, TAKEN, Answer, Shelf
from tests.users.conftest import between

# Loaded before it forks, so that workers who are killed are soon back. One who has just been forked
# is deaf to the end of the service, and without a limit would be waited for for half a minute.
SWIFT = "--preload --graceful-timeout 2"


@pytest.fixture(scope="module")
def server(postgres: str, template: str, tmp_path_factory: Any) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("haste")
    name = f"{NAME}_haste_{secrets.token_hex(6)}"
    with (
        cloned(postgres, template, name) as url,
        Laboratory(url, folder, SECRET, GUNICORN_CMD_ARGS=SWIFT) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def headers(server: Server) -> dict[str, str]:
    return server.sign_in()


@pytest.fixture
def shelf(server: Server, headers: dict[str, str]) -> Shelf:
    return SHELVES[-1](server, headers)  # the one that does most at once


def kill_workers(server: Server) -> None:
    """All of them, at once and without a word."""
    for worker in psutil.Process(server.process.pid).children():
        with suppress(psutil.NoSuchProcess):
            worker.kill()


def is_replay(answer: Answer) -> bool:
    return bool(answer[2]["Idempotent-Replayed"] == "true")


def test_of_fifty_at_once_under_one_key_one_is_done(shelf: Shelf) -> None:
    for turn in range(3):
        answers: list[Answer] = at_once(*[partial(shelf.take, f"fifty-{turn}")] * 50)
        done = [answer for answer in answers if answer[0] == 201]
        refused = [answer for answer in answers if answer[0] != 201]
        assert len({raw for _, raw, _ in done}) == 1
        assert len({(sent["Location"], sent["ETag"]) for _, _, sent in done}) == 1
        assert [is_replay(answer) for answer in done].count(False) == 1
        for status, raw, sent in refused:
            assert (status, b'"idempotency_key_in_progress"' in raw) == (409, True)
            assert sent["Content-Type"] == "application/problem+json"
        assert shelf.taken() == turn + 1
        print(f"{len(done)} answered alike, {len(refused)} told to wait")
        again = shelf.take(f"fifty-{turn}")
        assert (again[1], is_replay(again)) == (done[0][1], True)


def test_fifty_at_once_with_keys_of_their_own_are_all_done(shelf: Shelf) -> None:
    """The control: nobody is in the way of another's key."""
    answers = at_once(*(partial(shelf.take, f"own-{n}") for n in range(50)))
    assert Counter(status for status, _, _ in answers) == {201: 50}
    assert len({raw for _, raw, _ in answers}) == 50
    assert shelf.taken() == 50


def test_a_twin_is_told_at_once_and_waits_for_nobody(shelf: Shelf) -> None:
    with ThreadPoolExecutor(1) as pool:
        with shelf.held() as wait:
            first: Future[Answer] = pool.submit(shelf.take, "twin")
            wait()
            twins = [shelf.take("twin") for _ in range(5)]
            assert not first.done()
        assert [status for status, _, _ in twins] == [409] * 5
        status, raw, _ = first.result()
    assert status == 201
    again = shelf.take("twin")
    assert (again[0], again[1], is_replay(again)) == (201, raw, True)
    assert shelf.taken() == 1


def test_what_was_not_committed_when_the_worker_was_killed_is_done_by_the_retry(
    shelf: Shelf,
) -> None:
    with ThreadPoolExecutor(1) as pool, shelf.held() as wait:
        first = pool.submit(shelf.attempt, "before")
        wait()
        kill_workers(shelf.server)
        assert first.result() is None
    assert shelf.taken() == 0
    answer = shelf.insist("before")
    assert (answer[0], is_replay(answer)) == (201, False)
    assert shelf.taken() == 1


def test_what_was_committed_when_the_worker_was_killed_is_answered_to_the_retry(
    shelf: Shelf,
) -> None:
    """Sent by somebody who hears nothing of it."""
    stored = "SELECT count(*) FROM idempotency_keys"
    known = shelf.ask(stored)
    body = json.dumps(TAKEN).encode()
    lines = [
        f"POST {shelf.taking} HTTP/1.1",
        "Host: localhost",
        "Idempotency-Key: after",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in shelf.headers.items()),
    ]
    with socket.create_connection(("127.0.0.1", shelf.server.port), 10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        while shelf.ask(stored) == known:
            time.sleep(0.005)
        kill_workers(shelf.server)
    assert shelf.taken() == 1
    answer = shelf.insist("after")
    assert (answer[0], is_replay(answer)) == (201, True)
    assert shelf.taken() == 1


def test_thirty_requests_whose_workers_are_killed_are_done_thirty_times(shelf: Shelf) -> None:
    """Killed at any moment between sending and answer, sent again until answered."""
    most = 2 * max(calm(shelf, n) for n in range(5))
    fates: Counter[str] = Counter()
    for n in random.sample(range(30), 30):
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(shelf.attempt, f"killed-{n}")
            # The moment itself is what is tried: any, but more of the early ones, since a worker
            # that has its connection answers in a small part of the time of one that has not.
            time.sleep(most * ((n + random.random()) / 30) ** 2)
            kill_workers(shelf.server)
            heard = first.result()
        answer = shelf.insist(f"killed-{n}")
        assert answer[0] == 201
        if heard is not None and heard[0] == 201:
            assert (answer[1], is_replay(answer)) == (heard[1], True)
            fates["answered"] += 1
        else:
            fates["committed" if is_replay(answer) else "not committed"] += 1
    print(f"when killed: {dict(fates)}, within {most * 1000:.1f} ms")
    assert shelf.taken() == 30 + 2 * 5


def calm(shelf: Shelf, n: int) -> float:
    """The seconds one takes who is not killed, though all were just before."""
    kill_workers(shelf.server)
    assert shelf.insist(f"first-{n}")[0] == 201
    began = time.perf_counter()
    assert shelf.take(f"second-{n}")[0] == 201
    return time.perf_counter() - began


@pytest.mark.parametrize(
    ("verb", "meanwhile"),
    [("claim", (201, False)), ("find", (409, False)), ("store", (409, False))],
)
def test_wherever_a_twin_comes_in_between_it_is_done_once(
    server: Server, beside: App, monkeypatch: pytest.MonkeyPatch, verb: str, meanwhile: Any
) -> None:
    shelf = SHELVES[-1](server, headers_of(beside))
    twins: list[Answer] = []
    with ThreadPoolExecutor(1) as pool:
        between(
            monkeypatch, keys, verb, lambda: twins.append(pool.submit(shelf.take, "in").result())
        )
        sent = {**shelf.headers, "Idempotency-Key": "in"}
        answer = beside.test_client().post(shelf.taking, json=TAKEN, headers=sent)
    [twin] = twins
    assert (twin[0], is_replay(twin)) == meanwhile
    assert answer.status_code == 201
    assert ("Idempotent-Replayed" in answer.headers) == (verb == "claim")
    assert shelf.taken() == 1


def test_an_answer_that_is_being_replaced_is_not_purged_nor_waited_for(
    shelf: Shelf, beside: App
) -> None:
    shelf.take("renewed")
    renew = "UPDATE idempotency_keys SET expires_at = now() + %s * interval '1 day'"
    with closing(psycopg2.connect(shelf.plain)) as connection, connection.cursor() as hand:
        hand.execute(renew, [0])
        connection.commit()
        hand.execute(renew, [1])
        purged = beside.test_cli_runner().invoke(args=["idempotency", "purge"])
        connection.commit()
    assert purged.stdout == "Deleted 0 expired keys.\n", purged.stderr
    assert is_replay(shelf.take("renewed"))
