"""Every POST and PATCH takes an Idempotency-Key, and is done once under it."""

from __future__ import annotations

import pytest

from project.http.app import App
from tests.answers import replayed
from tests.house.test_openapi import Operation
from tests.house.world import World

NOT_ONCE = {
    "login": "its answer is a pair of tokens, which is stored nowhere",
    "create_webhook": "its answer holds a secret, which is stored only where it signs",
    "rotate_secret": "the same; and the old secret goes on for a day",
    "refresh": "a pair of tokens too; and a refresh token counts once by itself",
}
LEAVING = {"logout", "logout_all"}  # they end the very session that would send them again
DEMANDED: list[str] = [
    "adjust_stock",
    "create_movement",
    "count_stock",
    "create_movements",
    "reverse_movement",
    "create_reservation",
    "commit_reservation",
    "release_reservation",
    "extend_reservation",
]


def takes_key(operation: Operation) -> bool:
    return "Idempotency-Key" in {parameter["name"] for parameter in operation["parameters"]}


def test_every_post_and_patch_takes_a_key_and_nothing_else_does(world: World) -> None:
    writing = {name for name in world.operations if world.method(name) in ("POST", "PATCH")}
    assert writing >= NOT_ONCE.keys()
    taking = {name for name, operation in world.operations.items() if takes_key(operation)}
    assert taking == writing - NOT_ONCE.keys()


def test_what_a_key_can_lead_to_is_documented(world: World) -> None:
    codes = {"409": "idempotency_key_in_progress", "422": "idempotency_key_reused"}
    for name, operation in world.operations.items():
        told = {status: shown(operation, status) for status in ("400", "409", "422")}
        for status, code in codes.items():
            assert (code in told[status]) == takes_key(operation), name
        assert ("idempotency_key_required" in told["400"]) == (name in DEMANDED), name


def shown(operation: Operation, status: str) -> set[str]:
    """The codes of the examples of this status."""
    if status not in operation["responses"]:
        return set()
    content = operation["responses"][status]["content"]["application/problem+json"]
    return {example["value"]["code"] for example in content["examples"].values()}


def test_a_valid_call_that_comes_again_is_answered_again_and_changes_nothing(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    tried = [name for name, operation in world.operations.items() if takes_key(operation)]
    assert len(tried) >= 10
    for name in tried:
        with world.forgotten():
            before = world.state()
            headers = {**world.headers("superuser"), "Idempotency-Key": name}
            first = world.call(name, headers=headers)
            assert 200 <= first.status_code < 300, (name, first.text)
            after = world.state()
            assert after["idempotency_keys"] != before["idempotency_keys"], name
            capsys.readouterr()
            again = world.call(name, headers=headers)
            if name in LEAVING:
                assert again.status_code == 401
            else:
                replayed(again, first)
            assert world.state() == after, name
            events = capsys.readouterr().err.count('"event": ')
            assert events == 1, name  # the request itself
            other = world.call(name, headers={**headers, "Idempotency-Key": "other"})
            assert "Idempotent-Replayed" not in other.headers


def test_only_writes_of_stock_can_be_made_to_demand_a_key(
    app: App, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "REQUIRE_IDEMPOTENCY_KEY", "stock")
    demanding = set()
    for name in world.operations:
        with world.forgotten():
            answer = world.call(name)
            if answer.status_code == 400:
                assert (answer.json or {})["code"] == "idempotency_key_required"
                demanding.add(name)
            else:
                wanted = 404 if name == "delete_session" else world.success(name)
                assert answer.status_code == wanted, (name, answer.text)
    assert demanding == {*DEMANDED}
