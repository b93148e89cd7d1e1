"""A stream: one instant, one connection, and nothing of it stays behind."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from io import StringIO
from typing import Any

import pytest
from sqlalchemy import func, literal, literal_column, select, text

from project.db import Stream, db, stream
from project.errors import Invalid, Unavailable
from tests.conftest import administration, headers_of
from tests.db.conftest import Bench
from tests.samples.models import Sample

ROWS = 1_500
EXPORT = "/api/v1/samples/export"
FILL = "INSERT INTO samples (name, price) SELECT 'Sample ' || n, 1 FROM generate_series(1, %s) n"
LINE = 20  # bytes of one of them at most
OURS = "SELECT FROM pg_stat_activity WHERE datname = current_database()"
HELD = f"{OURS} AND xact_start IS NOT NULL"


@pytest.fixture(autouse=True)
def filled(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Some samples in several batches, a context, and afterwards nobody who holds a connection."""
    monkeypatch.setattr(stream, "BATCH", 5_000)
    with administration(bench.url) as do, bench.app.app_context():
        do("DELETE FROM samples")
        do(FILL, ROWS)
        yield
        assert pool().checkedout() == 0
        do("DELETE FROM samples")


def pool() -> Any:
    return db.engine.pool


def names(batches: Any) -> list[str]:
    return [row.decode().partition(",")[0] for batch in batches for row in batch]


def samples() -> Any:
    return select(Sample.name, Sample.price).order_by(Sample.id)


def test_every_row_comes_once_and_in_order(bench: Bench) -> None:
    with closing(Stream(samples())) as found:
        assert names(found) == [f"Sample {n}" for n in range(1, ROWS + 1)]
        assert (found.rows, found.whole) == (ROWS, True)


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 100])
def test_a_stream_ends_where_its_rows_do(
    bench: Bench, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "BATCH", 3)  # the second row of two bytes is the last of a batch
    with closing(Stream(select(func.generate_series(1, rows)))) as found:
        assert names(found) == [str(n) for n in range(1, rows + 1)]
        assert (found.rows, found.whole) == (rows, True)


def test_a_stream_shows_one_instant_whatever_others_write(bench: Bench) -> None:
    with closing(Stream(samples())) as found, administration(bench.url) as do:
        batches = iter(found)
        read = [*next(batches)]
        do("UPDATE samples SET price = 2, name = name || '!'")
        do("DELETE FROM samples WHERE mod(id, 2) = 0")
        do(FILL.replace("Sample", "Later"), 100)
        read += [row for batch in batches for row in batch]
    assert read == [f"Sample {n},1.00".encode() for n in range(1, ROWS + 1)]


def test_a_stream_writes_nothing(bench: Bench) -> None:
    setting = select(func.current_setting("transaction_read_only"))
    with closing(Stream(setting)) as found:
        assert names(found) == ["on"]
    assert db.session.scalar(setting) == "off"
    db.session.rollback()


def test_what_fails_does_so_before_the_first_row_and_leaves_no_connection(bench: Bench) -> None:
    wrong: Any = select(literal_column("1 / (n - 2)")).select_from(
        text("generate_series(1, 9) AS n")
    )
    with pytest.raises(Invalid):
        Stream(wrong)
    assert pool().checkedout() == 0


def test_a_stream_takes_the_connection_that_its_thread_has(bench: Bench) -> None:
    """With all others taken, one must do."""
    with ExitStack() as taken:
        for _ in range(pool().size() - 1):
            taken.enter_context(db.engine.connect())
        assert db.session.scalar(select(1)) == 1
        with closing(Stream(samples())) as found:
            assert len(names(found)) == ROWS


def test_whoever_stops_reading_holds_nothing(bench: Bench) -> None:
    found = Stream(samples())
    next(iter(found))
    with administration(bench.url) as do:
        assert do(HELD) == 2  # who asks, and the stream
        found.close()
        assert do(HELD) == 1
    assert stream.BATCH / LINE < found.rows < ROWS / 2
    assert not found.whole


def test_a_reader_may_pause_but_not_for_ever(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PATIENCE", 0.1)
    with closing(Stream(samples())) as found, administration(bench.url) as do:
        batches = iter(found)
        next(batches)
        deadline = time.monotonic() + 30
        while do(HELD) > 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert do(HELD) == 1  # who asks: the snapshot is gone, though nobody has closed the stream
        assert pool().checkedout() == 0
        with pytest.raises(Unavailable, match="may pause"):
            names(batches)
    assert not found.whole


def test_a_batch_may_not_take_for_ever(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PATIENCE", 0.1)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="A batch may take"):
        Stream(select(func.pg_sleep(30)))
    assert time.monotonic() - began < 10
    assert pool().checkedout() == 0


@pytest.mark.parametrize(
    ("limit", "setting"),
    [("idle_in_transaction_session_timeout", "1min"), ("statement_timeout", "30min")],
)
def test_a_stream_may_take_longer_than_a_request(bench: Bench, limit: str, setting: str) -> None:
    """A filter may pass over millions of rows between two batches, and nothing may fail there."""
    current = select(func.current_setting(limit))
    with closing(Stream(current)) as found:
        assert names(found) == [setting]
    assert db.session.scalar(current) != setting
    db.session.rollback()


def test_a_server_that_goes_away_ends_the_stream(bench: Bench) -> None:
    """There is more than what is on its way already."""
    endless = select(func.generate_series(1, 10_000_000))
    with closing(Stream(endless)) as found, administration(bench.url) as do:
        batches = iter(found)
        next(batches)
        do(f"SELECT pg_terminate_backend(pid) {HELD[7:]} AND pid <> pg_backend_pid()")
        with pytest.raises(Unavailable):
            names(batches)
    assert not found.whole


def test_what_a_select_is_asked_with_is_asked_of_copy_as_well(bench: Bench) -> None:
    odd = "100% {it's} \\N %(a)s :b \" \n"
    asked: Any = select(literal(odd), literal(7)).where(literal("%") == "%")
    with closing(Stream(asked)) as found:
        [[line]] = [*found]
    assert [*csv.reader(StringIO(line.decode(), newline=""))] == [[odd, "7"]]


def test_a_stream_ends_when_it_has_taken_too_long(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "LONGEST", 0)
    with closing(Stream(samples())) as found, pytest.raises(Unavailable):
        names(found)


def test_an_export_that_nobody_reads_to_its_end_gives_its_connection_back(bench: Bench) -> None:
    headers = headers_of(bench.app)
    for _ in range(pool().size() + 1):
        answer = bench.client.get(EXPORT, headers=headers)
        assert answer.status_code == 200
        assert next(answer.response).startswith(b"id,name,")  # type: ignore[call-overload]  # because it is an iterator
        answer.close()


def test_a_head_asks_for_no_row(bench: Bench) -> None:
    headers = headers_of(bench.app)
    with administration(bench.url) as do:
        do("ALTER TABLE samples RENAME TO elsewhere")
        try:
            assert bench.client.get(EXPORT, headers=headers).status_code == 503
            answer = bench.client.head(EXPORT, headers=headers)
        finally:
            do("ALTER TABLE elsewhere RENAME TO samples")
    assert (answer.status_code, answer.data) == (200, b"")
    assert "Content-Length" not in answer.headers
