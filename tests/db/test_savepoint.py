"""Part of a transaction that is kept or undone, while the rest goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from project.db import after_commit, announce, db, savepoint
from project.errors import Conflict, Invalid, Refused, Unauthorized
from tests.db.conftest import Bench, run
from tests.db.test_refusals import hang_up
from tests.samples.make import make_sample
from tests.samples.models import Sample

Told = Callable[[], list[str]]


@pytest.fixture(autouse=True)
def nothing_there(bench: Bench) -> Iterator[None]:
    """No sample is there before, and what a test has cut is not the next one's to find."""
    bench.post(lambda: run("DELETE FROM samples"))
    yield
    with bench.app.app_context():
        db.engine.dispose()


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """The events logged since one asked last, without requests and what `make_sample` tells."""

    def asked() -> list[str]:
        logged = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        return [
            line["event"] for line in logged if line["event"] not in ("request", "sample.created")
        ]

    return asked


def there(bench: Bench) -> list[str]:
    """The names of the samples that were committed."""
    names = "SELECT coalesce(json_agg(name ORDER BY name), '[]') FROM samples"
    return list(bench.get(lambda: run(names)).json["found"])


def make(name: str) -> None:
    make_sample(name=name)
    announce(name)


def test_what_goes_well_is_kept_and_told_in_its_order(bench: Bench, told: Told) -> None:
    def work() -> None:
        make("one")
        with savepoint():
            make("two")
        make("three")
        assert told() == []

    assert bench.post(work).status_code == 200
    assert there(bench) == ["one", "three", "two"]
    assert told() == ["one", "two", "three"]


def divide() -> None:
    run("SELECT 1/0")


def refuse() -> None:
    raise Refused("No.")


def stumble() -> None:
    raise RuntimeError("a bug")


def break_a_rule() -> None:
    run("INSERT INTO samples (name, price) VALUES ('wrong', 0)")


WRONG: list[tuple[Callable[[], None], type[Exception]]] = [
    (divide, Invalid),
    (refuse, Refused),
    (stumble, RuntimeError),
    (break_a_rule, DBAPIError),
    (lambda: make("one"), Refused),
]


@pytest.mark.parametrize(("wrong", "error"), WRONG, ids=lambda it: getattr(it, "__name__", ""))
def test_what_goes_wrong_is_undone_and_not_told_and_the_rest_goes_on(
    bench: Bench, told: Told, wrong: Callable[[], None], error: type[Exception]
) -> None:
    def work() -> None:
        make("one")
        with pytest.raises(error):
            go_wrong()
        make("three")

    def go_wrong() -> None:
        with savepoint():
            make("undone")
            db.session.add(Sample(name="not even written", price=1))
            after_commit(lambda: announce("never"))
            wrong()

    assert bench.post(work).status_code == 200
    assert there(bench) == ["one", "three"]
    assert told() == ["one", "three"]


def test_a_refusal_that_leaves_the_request_takes_everything_along(bench: Bench, told: Told) -> None:
    def work() -> None:
        make("one")
        with savepoint():
            make("two")
        with savepoint():
            refuse()

    assert bench.post(work).status_code == 400
    assert there(bench) == told() == []


def test_a_broken_rule_names_the_row_in_its_way_at_once(bench: Bench, told: Told) -> None:
    """The transaction is alive, so it can be asked, and goes on."""

    def work() -> Any:
        id = make_sample(name="Lamp").id
        with pytest.raises(Refused) as refused, savepoint():
            make("Lamp")
        assert refused.value.members["conflict"] == {"id": id, "is_active": True}
        assert refused.value.sentence == "Sample with name 'Lamp' already exists"
        make("Torch")
        raise refused.value

    answer = bench.post(work)
    assert (answer.status_code, answer.json["code"]) == (400, "duplicate_name")
    assert answer.json["conflict"]["is_active"] is True  # asked for once, in the savepoint
    assert there(bench) == told() == []


def test_a_savepoint_in_a_savepoint_is_undone_by_itself(bench: Bench, told: Told) -> None:
    def work() -> None:
        make("one")
        with savepoint():
            make("two")
            with suppress(Refused), savepoint():
                make("undone")
                with savepoint():
                    make("undone with it")
                refuse()
            with savepoint():
                make("three")
        make("four")

    assert bench.post(work).status_code == 200
    assert there(bench) == ["four", "one", "three", "two"]
    assert told() == ["one", "two", "three", "four"]


def test_a_savepoint_that_is_undone_takes_those_in_it_along(bench: Bench, told: Told) -> None:
    def work() -> None:
        make("one")
        with suppress(Refused), savepoint():
            with savepoint():
                make("undone with it")
            with pytest.raises(Refused), savepoint():
                make("one")
            refuse()
        make("three")

    assert bench.post(work).status_code == 200
    assert there(bench) == ["one", "three"]
    assert told() == ["one", "three"]


class Kept(Conflict):
    """What led to it stays."""

    keeps = True


class KeptToo(Unauthorized):
    """A stranger's trace stays as well."""

    keeps = True


@pytest.mark.parametrize("kind", [Kept, KeptToo])
@pytest.mark.parametrize("caught", [True, False])
def test_a_refusal_that_keeps_what_led_to_it_passes_through_every_savepoint(
    bench: Bench, told: Told, kind: type[Kept], caught: bool
) -> None:
    def work() -> None:
        make("one")
        with suppress(*[kind] if caught else []), savepoint():
            make("two")
            with savepoint():
                make("three")
                raise kind("No.")
        make("four")

    answer = bench.post(work)
    assert answer.status_code == (200 if caught else 409 if kind is Kept else 401)
    names = ["one", "two", "three", *(["four"] if caught else [])]
    assert there(bench) == sorted(names)
    assert told() == names


def test_what_was_changed_before_it_stays_changed(bench: Bench) -> None:
    def work() -> None:
        sample = make_sample(name="before")
        sample.name = "changed"  # and not yet written
        with suppress(Refused), savepoint():
            sample.name = "undone"
            db.session.flush()
            refuse()
        assert sample.name == "changed"

    assert bench.post(work).status_code == 200
    assert there(bench) == ["changed"]


@pytest.mark.parametrize("then", [lambda: run("SELECT 1"), lambda: None], ids=["within", "behind"])
def test_a_connection_lost_in_a_savepoint_is_503_and_tried_once(
    bench: Bench, told: Told, then: Callable[[], Any]
) -> None:
    tries = []

    def work() -> None:
        tries.append(1)
        make("one")
        with savepoint():
            make("two")
            hang_up(bench)
            then()

    answer = bench.post(work)
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
    assert len(tries) == 1
    assert there(bench) == told() == []
