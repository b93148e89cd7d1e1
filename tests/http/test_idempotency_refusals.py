"""What is refused under a key: stored if it is the outcome, else as if it had never been sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from project.db import after_commit, announce, db, save
from project.errors import Conflict, NotFound, Refusal, Refused, Stale, Unavailable
from project.http.app import App
from project.http.limits import Limits
from tests.answers import problem, replayed
from tests.caller import Call, Caller
from tests.conftest import headers_of
from tests.http.conftest import sample
from tests.samples import service
from tests.samples.models import Sample

SAMPLES = "/api/v1/samples/"
INK: Call = {"json": {"name": "Ink", "price": "9.90", "amount": 3}}
JSON = "application/json"
Case = tuple[Call, int, str, Callable[[], Any]]


class Cases:
    """Refusals that are an outcome, each with what takes its cause away."""

    def __init__(self, caller: Caller) -> None:
        self.caller, self.chalk = caller, sample(caller, name="Chalk")
        self.id = int(self.chalk.rpartition("/")[2])

    def not_enough(self) -> Case:
        call = {"method": "PATCH", "path": f"{self.chalk}/amount?quantity=-10"}
        return call, 400, "not_enough", self.more

    def not_enough_by_a_body(self) -> Case:
        call = {"method": "POST", "path": f"{self.chalk}/takings", "json": {"quantity": -10}}
        return call, 400, "not_enough", self.more

    def duplicate_name(self) -> Case:
        call = {"method": "POST", "path": SAMPLES, "json": {"name": "Chalk", "price": 1}}
        return call, 400, "duplicate_name", partial(self.change, name="Pen")

    def duplicate_name_of_a_change(self) -> Case:
        call = {"method": "PATCH", "path": sample(self.caller), "json": {"name": "Chalk"}}
        return call, 400, "duplicate_name", partial(self.change, name="Pen")

    def not_found(self) -> Case:
        call = {"method": "POST", "path": f"{SAMPLES}{self.id + 7}/restore"}
        return call, 404, "not_found", partial(sample, self.caller, id=self.id + 7)

    def stale_version(self) -> Case:
        matching = {**self.caller.headers, "If-Match": f'"{self.id}-2"'}
        call = {"method": "PATCH", "path": self.chalk, "json": {"price": 1}, "headers": matching}
        return call, 412, "stale_version", self.more

    def own_account(self) -> Case:
        root = self.caller.headers = headers_of(self.caller.app, is_superuser=True)
        me = self.caller.client.get("/api/v1/users/me", headers=root).json or {}
        body = {"json": {"ids": [me["id"]], "is_active": False}}
        call = {"method": "POST", "path": "/api/v1/users/bulk-status", **body}
        return call, 409, "own_account", lambda: None  # it stays one's own

    def more(self) -> None:
        assert (
            self.caller.send("PATCH", f"{self.chalk}/amount?quantity=20", None).status_code == 200
        )

    def change(self, **values: Any) -> None:
        assert self.caller.send("PATCH", self.chalk, None, json=values).status_code == 200


@pytest.mark.parametrize("name", [name for name in vars(Cases) if name[0] != "_"][:-2])
def test_a_refusal_that_is_the_outcome_is_answered_again_though_its_cause_has_gone(
    caller: Caller, name: str
) -> None:
    call, status, code, take_away = getattr(Cases(caller), name)()
    before, kept, _ = caller.state(keys=False), caller.state(), caller.told()
    first = caller.send(**call)
    assert (first.status_code, first.content_type) == (status, "application/problem+json")
    assert (first.json or {})["code"] == code
    assert ("conflict" in (first.json or {})) == (code == "duplicate_name")
    assert caller.state(keys=False) == before
    assert caller.state() != kept
    assert caller.told() == []
    take_away()
    after, _ = caller.state(), caller.told()
    replayed(caller.send(**call), first)
    assert caller.state() == after
    assert caller.told() == []
    if code != "own_account":
        assert caller.send(**call, key="another-key").status_code < 300


def test_a_refused_duplicate_names_the_row_in_its_way(caller: Caller, chalk: str) -> None:
    sent: Call = {"json": {"name": "Chalk", "price": 1}}
    for key in (None, "a-key", "a-key"):
        found = caller.send("POST", SAMPLES, key, **sent).json or {}
        assert found["conflict"] == {"id": int(chalk.rpartition("/")[2]), "is_active": True}
        assert found["detail"] == "Sample with name 'Chalk' already exists"


@pytest.mark.parametrize("refusal", [Refused, NotFound, Conflict, Stale])
def test_what_led_to_a_refusal_is_undone_and_not_told(
    caller: Caller, chalk: str, monkeypatch: pytest.MonkeyPatch, refusal: type[Refusal]
) -> None:
    followed: list[int] = []
    real = service.move

    def move(*given: Any, **values: Any) -> Any:
        real(*given, **values)
        after_commit(lambda: followed.append(1))
        raise refusal("No.")

    before = caller.state(keys=False)
    with monkeypatch.context() as changed:
        changed.setattr(service, "move", move)
        first = caller.send("PATCH", f"{chalk}/amount?quantity=-2")
    assert (first.json or {})["detail"] == "No."
    for _ in range(2):
        replayed(caller.send("PATCH", f"{chalk}/amount?quantity=-2"), first)
    assert caller.state(keys=False) == before
    assert (followed, caller.told()) == ([], [])
    assert caller.send("PATCH", f"{chalk}/amount?quantity=-2", "another").status_code == 200
    assert caller.told() == ["sample.moved"]


class Kept(Refused):
    """What led to it stays."""

    keeps = True


@pytest.mark.parametrize("key", [None, "a-key"])
def test_a_refusal_that_keeps_what_led_to_it_does_so_with_and_without_a_key(
    caller: Caller, chalk: str, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    real = service.move

    def move(*given: Any, **values: Any) -> Any:
        real(*given, **values)
        raise Kept("No.")

    monkeypatch.setattr(service, "move", move)
    first = caller.send("PATCH", f"{chalk}/amount?quantity=-2", key)
    problem(first, 400, "refused")
    assert caller.told() == ["sample.moved"]
    if key is not None:
        replayed(caller.send("PATCH", f"{chalk}/amount?quantity=-2", key), first)
    assert (caller.client.get(chalk).json or {})["amount"] == 3


WRONG: dict[str, tuple[int, str, Call]] = {  # what else there is to a call that creates ink
    "nobody": (401, "unauthorized", {"headers": {}}),
    "a bad token": (401, "unauthorized", {"headers": {"Authorization": "Bearer a.b.c"}}),
    "too large": (413, "body_too_large", {"data": b" " * (2**20 + 1), "content_type": JSON}),
    "a form": (415, "unsupported_media_type", {"data": "a=b", "content_type": "text/plain"}),
    "no price": (422, "invalid_fields", {"json": {"name": "Ink"}}),
    "half": (400, "malformed_body", {"data": '{"name": ', "content_type": JSON}),
    "nothing": (400, "malformed_body", {"data": "", "content_type": JSON}),
    "duplicate": (400, "malformed_body", {"data": '{"a": 1, "a": 1}', "content_type": JSON}),
}


def works_now(caller: Caller, before: dict[str, str], *call: Any, **sent: Any) -> None:
    """Nothing is left of what was refused, and the key is as good as new."""
    assert caller.state() == before
    caller.told()
    first = caller.send(*call, **sent)
    assert 200 <= first.status_code < 300, first.text
    replayed(caller.send(*call, **sent), first)
    told = caller.told()
    assert len(told) == len(set(told))


@pytest.mark.parametrize(("status", "code", "wrong"), WRONG.values(), ids=WRONG)
def test_what_was_not_judged_leaves_the_key_free(
    caller: Caller, status: int, code: str, wrong: Call
) -> None:
    before = caller.state()
    for _ in range(2):
        problem(caller.send("POST", SAMPLES, **wrong), status, code)
    works_now(caller, before, "POST", SAMPLES, **INK)


def test_who_may_not_yet_finds_the_key_free_later(app: App, caller: Caller) -> None:
    """By the guard, and in the view."""
    made: Call = {"json": {"username": "ada", "email": "ada@example.org", "password": "a good one"}}
    before = caller.state()
    problem(caller.send("POST", "/api/v1/users/", **made), 403, "forbidden")
    assert caller.state() == before
    with app.app_context():
        db.session.execute(text("UPDATE users SET is_superuser = true"))
        db.session.commit()
    works_now(caller, caller.state(), "POST", "/api/v1/users/", **made)


def test_a_registration_that_was_closed_leaves_the_key_free(
    app: App, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Call = {"json": {"username": "ada", "email": "ada@example.org", "password": "a good one"}}
    before = caller.state()
    with monkeypatch.context() as closed:
        closed.setitem(app.config, "REGISTRATION", "closed")
        answer = caller.send("POST", "/api/v1/auth/register", headers={}, **made)
        problem(answer, 403, "registration_closed")
    works_now(caller, before, "POST", "/api/v1/auth/register", headers={}, **made)


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        (RuntimeError("a bug"), 500, "internal_error"),
        (Unavailable("Away."), 503, "unavailable"),
        (Unavailable("Busy.", code="busy"), 503, "busy"),
    ],
    ids=str,
)
def test_what_breaks_leaves_the_key_free_and_nothing_behind(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, wrong: Exception, status: int, code: str
) -> None:
    before = caller.state()

    def create(values: dict[str, Any], *_: Any) -> Any:
        save(Sample(**values))
        announce("sample.created")
        raise wrong

    with monkeypatch.context() as broken:
        broken.setattr(service, "create", create)
        for _ in range(2):
            problem(caller.send("POST", SAMPLES, **INK), status, code)
    assert "sample.created" not in caller.told()
    works_now(caller, before, "POST", SAMPLES, **INK)


@pytest.fixture
def limited(app: App, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> Iterator[Limits]:
    """The same application, where one may do everything once."""
    settings = {"ENABLED": True, "USER": "1 per day", "ANONYMOUS": "9 per day"}
    for name, value in {**settings, "RESET": "1 per day"}.items():
        monkeypatch.setitem(app.config, f"RATELIMIT_{name}", value)
    limits = Limits(app)
    monkeypatch.setitem(app.extensions, "limits", limits)
    yield limits
    assert limits.counter is not None
    limits.counter.storage.reset()
    limits.counter.storage.engine.dispose()  # type: ignore[attr-defined]  # of our own kind


def test_who_was_too_often_there_finds_the_key_free_later(caller: Caller, limited: Limits) -> None:
    """Counted before the key is looked at, and where the view itself counts."""
    assert limited.counter is not None
    caller.send("POST", f"{SAMPLES}9/restore", None)
    before = caller.state()
    problem(caller.send("POST", SAMPLES, **INK), 429, "rate_limited")
    assert caller.state() == before
    limited.counter.storage.reset()
    assert caller.send("POST", SAMPLES, **INK).status_code == 201

    forgotten: Call = {"json": {"email": "ada@example.org"}, "headers": {}}
    path = "/api/v1/auth/password/forgot"
    first = caller.send("POST", path, "first", **forgotten)
    assert first.status_code == 202
    before = caller.state()
    problem(caller.send("POST", path, **forgotten), 429, "rate_limited")
    replayed(caller.send("POST", path, "first", **forgotten), first)  # which asks for nothing
    assert caller.state() == before
    limited.counter.storage.reset()
    works_now(caller, before, "POST", path, **forgotten)
