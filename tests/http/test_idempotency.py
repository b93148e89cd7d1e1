"""A request that comes again under its key: what is answered, and what makes it another request."""

from __future__ import annotations

import pytest

from project.http.app import App
from tests.answers import problem, replayed
from tests.caller import Call, Caller
from tests.conftest import headers_of
from tests.http.conftest import sample
from tests.users.make import PASSWORD

SAMPLES = "/api/v1/samples/"
REGISTER = "/api/v1/auth/register"
TAKEN: Call = {"json": {"quantity": -2, "reason": "tried"}}
INK: Call = {"json": {"name": "Ink", "price": "9.90", "amount": 3}}
ONCE: dict[str, tuple[str, str, Call, list[str]]] = {  # each with the events it tells
    "created": ("POST", SAMPLES, INK, ["sample.created"]),
    "taken": ("POST", "CHALK/takings", TAKEN, ["sample.moved"]),
    "moved": ("PATCH", "CHALK/amount?quantity=-2", {}, ["sample.moved"]),
    "renamed": ("PATCH", "CHALK", {"json": {"name": "Pen"}}, ["sample.updated"]),
    "restored in vain": ("POST", "CHALK/restore", {}, []),
    "accepted": ("POST", "/api/v1/auth/password/forgot", {"json": {"email": "a@b.org"}}, []),
}


def ada(email: str = "ada@example.org") -> Call:
    return {"json": {"username": email.split("@")[0], "email": email, "password": PASSWORD}}


@pytest.mark.parametrize(("method", "path", "call", "events"), ONCE.values(), ids=ONCE)
def test_a_request_that_comes_again_is_answered_the_same_bytes_and_done_once(
    caller: Caller, chalk: str, method: str, path: str, call: Call, events: list[str]
) -> None:
    caller.once(method, path.replace("CHALK", chalk), call, events)


@pytest.mark.parametrize("key", ["a-key", None])
def test_what_was_created_is_found_where_it_was_said_to_be(caller: Caller, key: str | None) -> None:
    """The answers that are compared elsewhere have the headers at all; without a key likewise."""
    made = caller.send("POST", SAMPLES, key, **INK)
    again = caller.send("POST", SAMPLES, key, **INK)
    assert again.status_code == (400 if key is None else 201)
    assert made.headers["Location"] == f"{SAMPLES}{(made.json or {})['id']}"
    assert made.headers["ETag"] == f'"{(made.json or {})["id"]}-1"'
    assert made.content_type == "application/json"
    assert caller.client.get(made.headers["Location"]).data == made.data


def test_without_a_key_it_is_done_each_time(caller: Caller, chalk: str) -> None:
    for amount in (3, 1):
        answer = caller.send("PATCH", f"{chalk}/amount?quantity=-2", None)
        assert (answer.json or {})["amount"] == amount
        assert "Idempotent-Replayed" not in answer.headers
    assert caller.told() == ["sample.moved"] * 2


def test_an_answer_stays_what_it_was_whatever_has_happened_since(
    caller: Caller, chalk: str
) -> None:
    first = caller.send("PATCH", f"{chalk}/amount?quantity=-2")
    caller.send("PATCH", chalk, None, json={"name": "Pen", "amount": 40})
    caller.send("DELETE", chalk, None)
    replayed(caller.send("PATCH", f"{chalk}/amount?quantity=-2"), first)
    assert (first.json or {})["amount"] == 3
    assert (caller.client.get(chalk).json or {})["amount"] == 40


def test_the_same_key_of_another_caller_is_another_request(
    app: App, caller: Caller, chalk: str
) -> None:
    path, everybody = f"{chalk}/takings", [headers_of(app) for _ in range(2)]
    firsts = [caller.send("POST", path, headers=headers, **TAKEN) for headers in everybody]
    assert [(first.json or {})["amount"] for first in firsts] == [3, 1]
    for headers, first in zip(everybody, firsts, strict=True):
        replayed(caller.send("POST", path, headers=headers, **TAKEN), first)
    assert caller.told() == ["sample.moved"] * 2


def test_a_caller_is_the_user_and_not_the_session(app: App, caller: Caller) -> None:
    """Who signs in anew after a crash sends again what was not answered."""
    caller.send("POST", REGISTER, None, **ada())
    credentials = {"login": "ada", "password": PASSWORD}
    pairs = [
        caller.send("POST", "/api/v1/auth/login", None, json=credentials).json or {}
        for _ in range(2)
    ]
    one, other = ({"Authorization": f"Bearer {pair['access_token']}"} for pair in pairs)
    first = caller.send("POST", SAMPLES, headers=one, **INK)
    replayed(caller.send("POST", SAMPLES, headers=other, **INK), first)


def test_whoever_is_not_signed_in_is_one_caller_and_no_user(caller: Caller) -> None:
    nobody: list[dict[str, str]] = [{}, {"Authorization": "Bearer a.b.c"}]
    first = caller.send("POST", REGISTER, headers=nobody[0], **ada())
    assert first.status_code == 201
    for headers in nobody:
        replayed(caller.send("POST", REGISTER, headers=headers, **ada()), first)
        other = caller.send("POST", REGISTER, headers=headers, **ada("bob@example.org"))
        problem(other, 422, "idempotency_key_reused")
    signed_in = caller.send("POST", REGISTER, **ada("bob@example.org"))
    assert (signed_in.json or {})["username"] == "bob"
    replayed(caller.send("POST", REGISTER, **ada("bob@example.org")), signed_in)


def test_the_same_key_of_another_operation_is_another_request(caller: Caller, chalk: str) -> None:
    calls: list[tuple[str, str, Call]] = [
        ("POST", f"{chalk}/takings", TAKEN),
        ("PATCH", f"{chalk}/amount?quantity=-2", {}),
        ("PATCH", chalk, {"json": {"price": "1"}}),
        ("POST", f"{chalk}/restore", {}),
        ("POST", SAMPLES, INK),
    ]
    firsts = [caller.send(method, path, **call) for method, path, call in calls]
    assert [first.status_code for first in firsts] == [201, 200, 200, 200, 201]
    for (method, path, call), first in zip(calls, firsts, strict=True):
        replayed(caller.send(method, path, **call), first)
    assert (caller.client.get(chalk).json or {})["amount"] == 1


TOOK = ("POST", "CHALK/takings", TAKEN)
MOVED: tuple[str, str, Call] = ("PATCH", "CHALK/amount?quantity=-2", {})
JSON = "application/json"
ANOTHER: dict[str, tuple[tuple[str, str, Call], tuple[str, Call]]] = {
    "a body": (TOOK, ("CHALK/takings", {"json": {"quantity": -1, "reason": "tried"}})),
    "no body": (TOOK, ("CHALK/takings", {})),
    "other bytes": (
        TOOK,
        ("CHALK/takings", {"data": '{"quantity":-2,"reason":"tried"}', "content_type": JSON}),
    ),
    "a wrong body": (TOOK, ("CHALK/takings", {"data": "{", "content_type": JSON})),
    "a query": (MOVED, ("CHALK/amount?quantity=-1", {})),
    "more of a query": (MOVED, ("CHALK/amount?quantity=-2&reason=tried", {})),
    "no query": (MOVED, ("CHALK/amount", {})),
    "a body where none is read": (MOVED, ("CHALK/amount?quantity=-2", {"json": {}})),
    "another one": (MOVED, ("INK/amount?quantity=-2", {})),
    "another one to take from": (TOOK, ("INK/takings", TAKEN)),
    "what was in the query as the body": (
        MOVED,
        ("CHALK/amount", {"data": "quantity=-2", "content_type": JSON}),
    ),
}


@pytest.mark.parametrize(("sent", "other"), ANOTHER.values(), ids=ANOTHER)
def test_another_request_under_the_same_key_is_refused_and_changes_nothing(
    caller: Caller, chalk: str, sent: tuple[str, str, Call], other: tuple[str, Call]
) -> None:
    ink = sample(caller)

    def at(path: str) -> str:
        return path.replace("CHALK", chalk).replace("INK", ink)

    (method, path, call), (another, changed) = sent, other
    first = caller.send(method, at(path), **call)
    assert 200 <= first.status_code < 300
    before, _ = caller.state(), caller.told()
    found = problem(caller.send(method, at(another), **changed), 422, "idempotency_key_reused")
    [error] = found["errors"]
    assert (error["in"], error["field"], error["code"]) == ("header", "Idempotency-Key", "reused")
    assert caller.state() == before
    assert caller.told() == []
    replayed(caller.send(method, at(path), **call), first)


@pytest.mark.parametrize("ends", [("", "/"), ("/", "")])
def test_with_and_without_its_slash_it_is_the_same_request(
    caller: Caller, chalk: str, ends: tuple[str, str]
) -> None:
    calls: list[tuple[str, str, Call]] = [
        ("POST", f"{chalk}/takings{{}}", TAKEN),
        ("PATCH", f"{chalk}/amount{{}}?quantity=-2", {}),
        ("POST", "/api/v1/samples{}", INK),
    ]
    for method, path, call in calls:
        first, again = (caller.send(method, path.format(end), **call) for end in ends)
        assert 200 <= first.status_code < 300
        replayed(again, first)


@pytest.mark.parametrize("key", ["k", "k" * 255, "!", "~", 'a,b;c="d"', "0", "null", "%00", "'--"])
def test_a_key_is_any_visible_ascii(caller: Caller, chalk: str, key: str) -> None:
    first = caller.send("PATCH", f"{chalk}/amount?quantity=-2", key)
    replayed(caller.send("PATCH", f"{chalk}/amount?quantity=-2", key), first)
    other = caller.send("PATCH", f"{chalk}/amount?quantity=-2", f"{key[:-1]}x")
    assert "Idempotent-Replayed" not in other.headers
    assert (caller.client.get(chalk).json or {})["amount"] == 1


BAD = ["", " ", "k" * 256, "a key", "a ", " a", "é", "ключ", "a\u00a0", "\x7f", "\x00", "a\nb"]
BAD += ["a\n", "\t", "a\x1fb", "\x80", "k" * 100_000]


@pytest.mark.parametrize("key", BAD, ids=lambda key: ascii(key)[:20])
def test_anything_else_is_refused_as_no_key(caller: Caller, chalk: str, key: str) -> None:
    before = caller.state()
    calls: list[tuple[str, str]] = [("PATCH", f"{chalk}/amount?quantity=1"), ("POST", SAMPLES)]
    wire = key.encode().decode("latin-1")  # as a server hands it on
    for method, path in calls:
        environ = {"HTTP_IDEMPOTENCY_KEY": wire}
        answer = caller.send(method, path, None, environ_overrides=environ)
        [error] = problem(answer, 422, "invalid_fields")["errors"]
        assert (error["in"], error["field"]) == ("header", "Idempotency-Key")
    assert caller.state() == before
