"""Many clients, slow ones, and such as go away: nobody who behaves feels it."""

from __future__ import annotations

import json
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from project.serving.places import PATIENCE
from tests.serving.client import Client, Laboratory, get, post, workers
from tests.serving.conftest import Start
from tests.serving.laboratory import MEBIBYTE

STREAM = 40  # MiB, more than the buffers of a connection take


def within(seconds: float, laboratory: Laboratory, sentence: str, times: int = 1) -> None:
    """Wait for the log to say this so often."""
    end = time.monotonic() + seconds
    while laboratory.log.read_text().count(sentence) < times:
        assert time.monotonic() < end, sentence
        time.sleep(0.05)


def reset(client: Client) -> None:
    """Go away without a word."""
    linger = struct.pack("ii", 1, 0)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    client.close()


def test_who_is_slow_with_a_request_holds_no_thread(laboratory: Laboratory) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(Client(laboratory)) for _ in range(200)]
        for client in slow[:60]:
            client.send(get("/")[:-2])
        for client in slow[60:120]:
            client.send(post("/digest", b"x" * 60_000)[:-1])
        for client in slow[120:160]:
            assert client.get("/")[0] == 200
        for _ in range(20):
            began = time.monotonic()
            with Client(laboratory) as other:
                assert other.get("/")[0] == 200
            assert time.monotonic() - began < 1
        assert [client.send(b"\r\n").answer()[0] for client in slow[:60]] == [200] * 60
        assert [client.send(b"x").answer()[0] for client in slow[60:120]] == [200] * 60
        assert [client.get("/")[0] for client in slow[120:]] == [200] * 80


def test_when_all_threads_are_busy_others_queue_and_are_answered(laboratory: Laboratory) -> None:
    def ask(path: str) -> bytes:
        with Client(laboratory) as client:
            return client.get(path)[2]

    with ThreadPoolExecutor(24) as pool:
        began = time.monotonic()
        slow = [pool.submit(ask, "/sleep?seconds=1") for _ in range(12)]
        others = [pool.submit(ask, "/") for _ in range(12)]
        assert {each.result() for each in slow} == {b"slept"}
        assert {each.result() for each in others} == {b"here"}
        assert time.monotonic() - began < 5


def test_one_address_never_takes_all_threads(laboratory: Laboratory) -> None:
    for path in ("/sleep?seconds=1", "/sleep/7?seconds=1", "/sleep/7/8?seconds=1"):
        with ExitStack() as stack:
            slow = [stack.enter_context(Client(laboratory)) for _ in range(12)]
            for client in slow:
                client.send(get(path))
            time.sleep(0.2)
            quick(laboratory, "/", "/sleep/8?seconds=0")
            assert {client.answer()[2] for client in slow} == {b"slept"}


def test_probes_are_answered_though_every_thread_is_held_up(laboratory: Laboratory) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(Client(laboratory)) for _ in range(16)]
        for number, client in enumerate(slow):
            client.send(get(f"/sleep/{number}?seconds=1"))
        time.sleep(0.2)
        quick(laboratory, "/healthz", "/readyz")
        assert {client.answer()[2] for client in slow} == {b"slept"}


def test_who_finds_no_thread_in_time_is_told_to_come_again(start: Start) -> None:
    with start("--workers 1 --threads 2") as laboratory, ExitStack() as stack:
        slow, waiting, patient = (
            [stack.enter_context(Client(laboratory)) for _ in range(2)] for _ in range(3)
        )
        for number, client in enumerate(slow):
            client.send(get(f"/sleep/{number}?seconds=6"))
        time.sleep(0.2)
        began = time.monotonic()
        for client in waiting:
            client.send(get("/", "X-Request-Id: mine"))
        asking = stack.enter_context(Client(laboratory)).send(get("/").replace(b"GET", b"HEAD"))
        for client in waiting:
            status, headers, body = client.answer()
            assert PATIENCE < time.monotonic() - began < PATIENCE + 2
            assert (status, headers["Retry-After"], headers["X-Request-Id"]) == (503, "1", "mine")
            assert json.loads(body)["code"] == "busy"
            assert client.ended()
        assert asking.answer(body=False)[0] == 503
        assert asking.ended()
        for client in patient:
            client.send(get("/") * 2)
        assert {client.answer()[2] for client in slow} == {b"slept"}
        assert {client.answer()[2] for client in patient for _ in range(2)} == {b"here"}


def test_who_drips_a_large_body_holds_up_nobody_else(laboratory: Laboratory) -> None:
    whole = post("/digest", b"x" * 200_000)
    with ExitStack() as stack:
        slow = [stack.enter_context(Client(laboratory)) for _ in range(16)]
        for client in slow:
            client.send(whole[:100_000])
        time.sleep(0.2)
        quick(laboratory, "/", "/digest")  # that needs no body
        for client in slow:
            client.send(whole[100_000:])
        assert [client.answer()[0] for client in slow] == [200] * 16


def test_who_reads_a_large_answer_slowly_holds_up_nobody_else(laboratory: Laboratory) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(Client(laboratory)) for _ in range(16)]
        for client in slow:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.send(get(f"/stream?pieces={STREAM}"))
        time.sleep(0.2)
        quick(laboratory, "/", "/sleep?seconds=0")
        for client in slow:
            reset(client)
    within(10, laboratory, "the stream is closed")


def quick(laboratory: Laboratory, *paths: str) -> None:
    """Whoever asks now is answered as if nothing was, by either process."""
    for path in paths * 8:
        began = time.monotonic()
        with Client(laboratory) as other:
            assert other.get(path)[0] == 200
        assert time.monotonic() - began < 0.5


def test_every_process_gets_its_share_of_connections(laboratory: Laboratory) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(laboratory)) for _ in range(64)]
        for client in clients:
            client.send(get("/process"))
        served = [int(client.answer()[2]) for client in clients]
    assert set(served) == workers(laboratory)
    assert min(served.count(pid) for pid in set(served)) >= 8


def test_who_goes_away_at_any_moment_harms_nobody(laboratory: Laboratory) -> None:
    body = post("/digest", b"x" * 200_000)
    moments = [
        b"",
        get("/")[:9],
        get("/"),
        post("/digest", b"abc")[:-1],
        body[:1_000],
        body[:150_000],
    ]
    moments += [get("/sleep?seconds=0.1"), get(f"/stream?pieces={STREAM}")]
    for number in range(len(moments) * 4):
        client = Client(laboratory)
        client.send(moments[number % len(moments)])
        time.sleep(0.02 * (number % 3))
        reset(client)
    within(10, laboratory, "the stream is closed", 4)
    for _ in range(16):
        with Client(laboratory) as client:
            assert client.get("/process")[0] == 200
    log = laboratory.log.read_text()
    assert "broke" not in log.replace("broken in", "").replace("broken before", "")


def test_a_stream_waits_for_who_reads_slowly(laboratory: Laboratory) -> None:
    with Client(laboratory) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.send(get(f"/stream?pieces={STREAM}"))
        time.sleep(1)
        assert client.answer()[2] == MEBIBYTE * STREAM


def test_who_stops_is_given_up(start: Start) -> None:
    with start("--keep-alive 1", LABORATORY_PATIENCE="1") as laboratory, ExitStack() as stack:
        silent, half, short, kept, large, deaf = (
            stack.enter_context(Client(laboratory)) for _ in range(6)
        )
        half.send(get("/")[:-2])
        short.send(post("/digest", b"abc")[:-1])
        assert kept.get("/")[0] == 200
        large.send(post("/digest", b"x" * 200_000)[:-1])
        deaf.send(get(f"/stream?pieces={STREAM}"))
        began = time.monotonic()
        for client in (silent, half, short, kept):
            assert client.ended()
        assert time.monotonic() - began < 4
        assert large.answer()[0] == 500  # the application was told, and did not know what to say
        within(5, laboratory, "the stream is closed")


def test_who_drips_a_request_has_no_more_time_for_it(start: Start) -> None:
    with start(LABORATORY_PATIENCE="1") as laboratory, Client(laboratory) as client:
        began = time.monotonic()
        client.send(b"GET / HTTP/1.1\r\n")
        while time.monotonic() - began < 3:
            time.sleep(0.1)
            try:
                client.send(b"X: y\r\n")
            except OSError:
                break
        assert time.monotonic() - began < 3


def test_who_only_drips_is_given_up(start: Start) -> None:
    """Never pausing for as long as one may."""
    with start(LABORATORY_PATIENCE="1") as laboratory, ExitStack() as stack:
        large, deaf = (stack.enter_context(Client(laboratory)) for _ in range(2))
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.send(get(f"/stream?pieces={STREAM}"))
        large.send(post("/digest", b"x" * 200_000)[:100_000])
        began = time.monotonic()
        while "the stream is closed" not in laboratory.log.read_text():
            assert time.monotonic() - began < 10
            time.sleep(0.2)
            large.send(b"x" * 100)
            deaf.socket.recv(100)
        assert large.answer()[0] == 500  # the application was told, and did not know what to say


def test_more_connections_than_allowed_wait_until_the_idle_have_made_room(start: Start) -> None:
    with start("--worker-connections 10") as laboratory, ExitStack() as stack:
        began = time.monotonic()
        for _ in range(60):
            client = stack.enter_context(Client(laboratory))
            assert client.get("/")[0] == 200
        assert time.monotonic() - began < 15
