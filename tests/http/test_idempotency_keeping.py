"""How long answers are kept, what can be read there, what follows once, and who must send a key."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from flask.testing import FlaskCliRunner

from project.http.app import App
from project.http.idempotency import keys
from tests.answers import document, problem, replayed
from tests.auth.steps import run
from tests.caller import Call, Caller
from tests.conftest import SECRET
from tests.letters import mailed
from tests.users.make import PASSWORD

SAMPLES = "/api/v1/samples/"
AUTH = "/api/v1/auth"
KEY = "a-key-that-nobody-shall-read"
INK: Call = {"json": {"name": "Ink", "price": "9.90"}}
EXPIRED = """
INSERT INTO idempotency_keys SELECT int4send(n), '', 200, '{}', '', now()
FROM generate_series(1, :number) AS n
"""
ADA: Call = {"json": {"username": "ada", "email": "ada@example.org", "password": PASSWORD}}


@pytest.fixture
def runner(app: App, caller: Caller) -> FlaskCliRunner:
    return app.test_cli_runner()


def older(app: App, hours: str) -> None:
    """Let time pass for all that is kept."""
    passed = "UPDATE idempotency_keys SET expires_at = expires_at - CAST(:hours AS interval)"
    run(app, passed, hours=hours)


def kept(app: App) -> int:
    return int(run(app, "SELECT count(*) FROM idempotency_keys"))


def test_an_answer_is_kept_for_a_day_and_not_longer(app: App, caller: Caller, chalk: str) -> None:
    path = f"{chalk}/amount?quantity=-2"
    first = caller.send("PATCH", path)
    assert run(app, "SELECT expires_at - now() FROM idempotency_keys") == timedelta(hours=24)
    older(app, "23:59:59.999999")
    replayed(caller.send("PATCH", path), first)
    older(app, "0.000001 seconds")
    second = document(caller.send("PATCH", path))
    assert second["amount"] == 1
    assert kept(app) == 1
    older(app, "23:59:59")  # it has a day of its own
    assert document(caller.send("PATCH", path)) == second


def test_a_key_that_is_free_again_takes_another_request(app: App, caller: Caller) -> None:
    assert caller.send("POST", SAMPLES, **INK).status_code == 201
    other: Call = {"json": {"name": "Pen", "price": "5"}}
    problem(caller.send("POST", SAMPLES, **other), 422, "idempotency_key_reused")
    older(app, "24:00:00")
    second = caller.send("POST", SAMPLES, **other)
    assert second.status_code == 201
    replayed(caller.send("POST", SAMPLES, **other), second)
    problem(caller.send("POST", SAMPLES, **INK), 422, "idempotency_key_reused")


def test_purging_deletes_what_has_expired_and_says_how_much(
    app: App, caller: Caller, runner: FlaskCliRunner, chalk: str
) -> None:
    def purged() -> str:
        result = runner.invoke(args=["idempotency", "purge"])
        assert result.exit_code == 0
        return str(result.stdout)

    assert purged() == "Deleted 0 expired keys.\n"
    path = f"{chalk}/amount?quantity=1"
    caller.send("PATCH", path, "expired")
    older(app, "24:00:00")
    first = caller.send("PATCH", path, "alive")
    assert kept(app) == 2
    assert purged() == "Deleted 1 expired key.\n"
    assert purged() == "Deleted 0 expired keys.\n"
    replayed(caller.send("PATCH", path, "alive"), first)
    run(app, EXPIRED, number=1234)
    assert purged() == "Deleted 1,234 expired keys.\n"
    replayed(caller.send("PATCH", path, "alive"), first)


def test_purging_goes_on_in_portions_until_nothing_is_left(
    app: App,
    caller: Caller,
    runner: FlaskCliRunner,
    statements: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One statement for millions of rows would be ended by its timeout, and so every time."""
    monkeypatch.setattr(keys, "PORTION", 100)
    run(app, EXPIRED, number=250)
    statements.clear()
    result = runner.invoke(args=["idempotency", "purge"])
    assert result.stdout == "Deleted 250 expired keys.\n"
    assert sum(statement.startswith("DELETE") for statement in statements) == 4
    assert kept(app) == 0


def test_a_change_of_the_secret_key_does_not_make_it_another_request(
    app: App, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    other: Call = {"json": {"name": "Pen", "price": "5"}}
    first = caller.send("POST", SAMPLES, **INK)
    monkeypatch.setitem(app.config, "SECRET_KEY", "a new secret of thirty-two bytes at least")
    problem(caller.send("POST", SAMPLES, **INK), 422, "idempotency_key_reused")
    monkeypatch.setitem(app.config, "SECRET_KEY_FALLBACKS", ("another one", SECRET))
    replayed(caller.send("POST", SAMPLES, **INK), first)
    problem(caller.send("POST", SAMPLES, **other), 422, "idempotency_key_reused")
    newer = caller.send("POST", SAMPLES, "another-key", **other)
    monkeypatch.setitem(app.config, "SECRET_KEY_FALLBACKS", ())
    replayed(caller.send("POST", SAMPLES, "another-key", **other), newer)


def test_nothing_but_the_answer_can_be_read_in_what_is_kept(app: App, caller: Caller) -> None:
    """Nor guessed: the same request leaves other traces under another secret."""
    changed = {"current_password": PASSWORD, "password": "staple of another horse"}
    calls: list[tuple[str, Call, list[str]]] = [
        (f"{AUTH}/register", ADA, [PASSWORD]),
        (f"{AUTH}/password/forgot", {"json": {"email": "ada@example.org"}}, ["ada@example.org"]),
        (f"{AUTH}/password/reset", {"json": {"token": "t" * 43, "password": PASSWORD}}, ["t" * 43]),
        ("/api/v1/users/me/password", {"json": changed}, [*changed.values()]),
        (SAMPLES, INK, []),
    ]
    for path, call, secrets in calls:
        run(app, "DELETE FROM idempotency_keys")
        assert caller.send("POST", path, KEY, **call).status_code in (201, 202, 204, 400)
        row = "SELECT row_to_json(kept)::jsonb || jsonb_build_object('name', encode(name, 'base64'"
        row += "), 'fingerprint', encode(fingerprint, 'base64'), 'body', convert_from(body,'UTF8'))"
        told = run(app, f"{row} FROM idempotency_keys AS kept")
        for name in ("name", "fingerprint"):
            raw = base64.b64decode(told[name])
            assert len(raw) == 32  # a digest, and no room for more
        told = str({**told, "name": raw, "fingerprint": raw})
        for secret in (KEY, PASSWORD, *secrets):
            assert secret not in told


def test_what_is_kept_of_a_request_cannot_be_guessed_without_the_secret_key(
    app: App, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    traces = []
    for secret in (SECRET, SECRET, "another secret"):
        run(app, "DELETE FROM idempotency_keys")
        monkeypatch.setitem(app.config, "SECRET_KEY", secret)
        caller.send("POST", f"{SAMPLES}9/restore")
        traces.append(bytes(run(app, "SELECT fingerprint FROM idempotency_keys")))
    one, same, other = traces
    assert one == same != other


def test_signing_in_and_refreshing_store_nothing_and_are_done_each_time(
    app: App, caller: Caller
) -> None:
    document(caller.send("POST", f"{AUTH}/register", None, **ADA), 201)
    login: Call = {"json": {"login": "ada", "password": PASSWORD}, "headers": {}}
    pairs = [document(caller.send("POST", f"{AUTH}/login", KEY, **login)) for _ in range(2)]
    assert pairs[0]["refresh_token"] != pairs[1]["refresh_token"]
    used: Call = {"json": {"refresh_token": pairs[0]["refresh_token"]}, "headers": {}}
    document(caller.send("POST", f"{AUTH}/refresh", KEY, **used))
    problem(caller.send("POST", f"{AUTH}/refresh", KEY, **used), 409, "refresh_raced")
    for name in ("login", "refresh"):  # not even what is no key is looked at
        call = login if name == "login" else used
        assert caller.send("POST", f"{AUTH}/{name}", "", **call).status_code != 422
    assert kept(app) == 0


def test_what_follows_the_commit_follows_once(app: App, caller: Caller) -> None:
    document(caller.send("POST", f"{AUTH}/register", None, **ADA), 201)
    forgotten: Call = {"json": {"email": "ada@example.org"}}
    mailed(app)
    first = caller.send("POST", f"{AUTH}/password/forgot", **forgotten)
    assert len(mailed(app)) == 1
    for _ in range(3):
        replayed(caller.send("POST", f"{AUTH}/password/forgot", **forgotten), first)
    assert mailed(app) == []
    caller.send("POST", f"{AUTH}/password/forgot", "another-key", **forgotten)
    assert len(mailed(app)) == 1


TAKING: dict[str, Call] = {
    "PATCH CHALK/amount?quantity=1": {},
    "POST CHALK/takings": {"json": {"quantity": 1}},
}


@pytest.mark.parametrize("operation", TAKING)
def test_where_a_key_is_demanded_nothing_is_written_without(
    caller: Caller, chalk: str, app: App, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    method, path = operation.replace("CHALK", chalk).split(" ")
    monkeypatch.setitem(app.config, "REQUIRE_IDEMPOTENCY_KEY", "samples")
    caller.not_without(method, path, TAKING[operation])


@pytest.mark.parametrize("operation", TAKING)
def test_where_none_is_demanded_it_is_written_without(
    caller: Caller, chalk: str, operation: str
) -> None:
    method, path = operation.replace("CHALK", chalk).split(" ")
    assert caller.send(method, path, None, **TAKING[operation]).status_code in (200, 201)


def test_a_key_is_demanded_of_no_other_group(
    caller: Caller, chalk: str, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "REQUIRE_IDEMPOTENCY_KEY", "another")
    assert caller.send("PATCH", f"{chalk}/amount?quantity=1", None).status_code == 200
