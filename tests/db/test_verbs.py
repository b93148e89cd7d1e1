"""fetch, save, revise: in one statement each, and right in the races that statements can lose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from threading import Event
from typing import Any

import psycopg2
import pytest
from sqlalchemy import event

from project.db import INT8, db, fetch, revise, revise_if, save, transaction
from project.db.rules import Duplicate
from project.errors import NotFound, Stale
from tests.db.conftest import Bench, run
from tests.samples.make import make_sample
from tests.samples.models import Sample


@contextmanager
def before_second_statement(
    bench: Bench, act: Callable[[], None], *, after: int = 1
) -> Iterator[None]:
    """Let somebody else be exactly as fast as it takes to come between two statements.

    after: how many of them the engine sees before that; it sees none that the driver is asked.
    """
    with bench.app.app_context():
        engine = db.engine
    count = iter(range(100))

    def listen(*_: Any) -> None:
        if next(count) == after:
            act()

    event.listen(engine, "before_cursor_execute", listen)
    yield
    event.remove(engine, "before_cursor_execute", listen)


@pytest.mark.parametrize("id", [0, -1, INT8, INT8 + 1, 10**30])
def test_what_is_not_there_is_not_found(bench: Bench, id: int) -> None:
    with bench.app.app_context(), transaction():
        verbs: list[Callable[[], object]] = [
            lambda: fetch(Sample, id),
            lambda: fetch(Sample, id, lock=True),
            lambda: revise(Sample, id, {"amount": 1}),
            lambda: revise(Sample, id, {"amount": 1}, {1}),
            lambda: revise_if(Sample.is_active, Sample, id, {"amount": 1}),
        ]
        for verb in verbs:
            with pytest.raises(NotFound, match=f"^Sample with id {id} not found$"):
                verb()


def test_saving_brings_back_all_that_the_server_made_up(
    context: None, statements: list[str]
) -> None:
    sample = save(Sample(name="complete", price=Decimal("1.50")))
    kept = {column.key: getattr(sample, column.key) for column in Sample.__table__.columns}
    nulls = {name for name, value in kept.items() if value is None}
    assert nulls == {"description"}
    assert len(statements) == 1


def test_a_revision_counts_and_dates_itself(bench: Bench) -> None:
    with bench.app.app_context():
        with transaction():
            sample = make_sample()
            id, made = sample.id, sample.updated_at
        with transaction():
            revised = revise(Sample, id, {"amount": 4}, {1, 7})
            assert (revised.version, revised.amount) == (2, 4)
            assert revised.updated_at > made == revised.created_at


def test_a_row_that_appears_between_two_statements_is_written_all_the_same(bench: Bench) -> None:
    """Not answered as if it had been."""
    plain = bench.url.replace("postgresql+psycopg2", "postgresql")
    other = psycopg2.connect(plain)
    with other.cursor() as cursor:
        cursor.execute("INSERT INTO samples (name, price) VALUES ('late', 1) RETURNING id")
        [id] = cursor.fetchone() or [0]
    try:
        with (
            before_second_statement(bench, other.commit),
            bench.app.app_context(),
            transaction(),
        ):
            try:
                revise(Sample, id, {"amount": 9})
                found = 9
            except NotFound:
                found = 0
        with bench.app.app_context():
            assert fetch(Sample, id).amount == found
    finally:
        other.close()


def test_a_version_that_arrives_between_two_statements_is_written_or_stale(bench: Bench) -> None:
    plain = bench.url.replace("postgresql+psycopg2", "postgresql")
    id = bench.post(lambda: make_sample(version=2).id).json["found"]
    other = psycopg2.connect(plain)
    try:

        def overtake() -> None:
            with other, other.cursor() as cursor:
                cursor.execute("UPDATE samples SET version = 3 WHERE id = %s", [id])

        with before_second_statement(bench, overtake), bench.app.app_context(), transaction():
            try:
                revise(Sample, id, {"amount": 9}, {1, 3})
                found = 9
            except Stale:
                found = 0
        with bench.app.app_context():
            assert fetch(Sample, id).amount == found
    finally:
        other.close()


def test_a_row_fetched_with_lock_is_held_and_fresh(bench: Bench) -> None:
    id = bench.post(lambda: make_sample(amount=1).id).json["found"]
    held, done = Event(), Event()

    def holder() -> None:
        with bench.app.app_context(), transaction():
            fetch(Sample, id, lock=True).amount = 2
            held.set()
            done.wait(0.2)

    with ThreadPoolExecutor(1) as pool, bench.app.app_context(), transaction():
        old = fetch(Sample, id)
        assert old.amount == 1
        future = pool.submit(holder)
        held.wait(5)
        assert fetch(Sample, id, lock=True) is old
        assert old.amount == 2
        future.result(5)


def test_a_duplicate_outside_a_request_names_its_rival_too(bench: Bench) -> None:
    with bench.app.app_context():
        with transaction():
            first = make_sample(name="twice", is_active=False).id
        with pytest.raises(Duplicate) as caught, transaction():
            make_sample(name="twice")
        assert caught.value.sentence == "Sample with name 'twice' already exists"
        assert caught.value.members["conflict"] == {"id": first, "is_active": False}
        assert run("SELECT count(*) FROM samples WHERE name = 'twice'") == 1
