"""Writes of stock that come again: done once, refused once, where demanded never without a key."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from project.http.app import App
from tests.answers import problem, replayed
from tests.auth.steps import run
from tests.caller import Call, Caller
from tests.products.make import make_product

PRODUCTS = "/api/v1/products/"
SOLD: Call = {"json": {"quantity": -2, "reason": "sold"}}
CHAIR: Call = {"json": {"name": "Chair", "price": "9.90", "stock": 3}}
ONCE: dict[str, tuple[str, str, Call, list[str]]] = {  # each with the events it tells
    "created": ("POST", PRODUCTS, CHAIR, ["product.created", "stock.adjusted"]),
    "moved": ("POST", "LAMP/stock/movements/", SOLD, ["stock.adjusted"]),
    "adjusted": ("PATCH", "LAMP/stock?quantity=-2", {}, ["stock.adjusted"]),
    "renamed": ("PATCH", "LAMP", {"json": {"name": "Torch"}}, ["product.updated"]),
    "counted": ("POST", "LAMP/stock/count", {"json": {"counted": 7}}, ["stock.adjusted"]),
    "counted in vain": ("POST", "LAMP/stock/count", {"json": {"counted": 5}}, []),
}


@pytest.fixture
def caller(app: App, isolated: None, capsys: pytest.CaptureFixture[str]) -> Caller:
    return Caller(app, capsys)


@pytest.fixture
def lamp(caller: Caller) -> str:
    """The address of a product with five in stock."""
    return caller.stored("products", make_product, name="Lamp", stock=5)


@pytest.mark.parametrize(("method", "path", "call", "events"), ONCE.values(), ids=ONCE)
def test_what_comes_again_is_answered_the_same_bytes_and_done_once(
    caller: Caller, lamp: str, method: str, path: str, call: Call, events: list[str]
) -> None:
    caller.once(method, path.replace("LAMP", lamp), call, events)


Case = tuple[Call, int, str, Callable[[], Any]]


class Cases:
    """Refusals that are an outcome, each with what takes its cause away."""

    def __init__(self, caller: Caller, lamp: str) -> None:
        self.caller, self.lamp = caller, lamp
        self.id = int(lamp.rpartition("/")[2])

    def insufficient_stock(self) -> Case:
        call = {"method": "PATCH", "path": f"{self.lamp}/stock?quantity=-10"}
        return call, 400, "insufficient_stock", self.more

    def stock_limit(self) -> Case:
        call = {"method": "POST", "path": f"{self.lamp}/stock/movements/"}
        self.change(stock=2**31 - 5)
        sent = {**call, "json": {"quantity": 9, "reason": "found"}}
        return sent, 400, "stock_limit", partial(self.change, stock=1)

    def stale_stock(self) -> Case:
        call = {"method": "POST", "path": f"{self.lamp}/stock/movements/"}
        body = {"quantity": -1, "reason": "sold", "expected_stock": 25}
        return {**call, "json": body}, 412, "stale_stock", self.more

    def batch_refused(self) -> Case:
        call = {"method": "POST", "path": "/api/v1/stock/movements/batch"}
        lines = [{"product_id": self.id, "quantity": -10, "reason": "sold"}]
        return {**call, "json": {"movements": lines}}, 400, "batch_refused", self.more

    def more(self) -> None:
        assert self.caller.send("PATCH", f"{self.lamp}/stock?quantity=20", None).status_code == 200

    def change(self, **values: Any) -> None:
        assert self.caller.send("PATCH", self.lamp, None, json=values).status_code == 200


@pytest.mark.parametrize("name", [name for name in vars(Cases) if name[0] != "_"][:-2])
def test_a_refusal_that_is_the_outcome_is_answered_again_though_its_cause_has_gone(
    caller: Caller, lamp: str, name: str
) -> None:
    call, status, code, take_away = getattr(Cases(caller, lamp), name)()
    before, _ = caller.state(keys=False), caller.told()
    first = caller.send(**call)
    problem(first, status, code)
    assert caller.state(keys=False) == before
    assert caller.told() == []
    take_away()
    after, _ = caller.state(), caller.told()
    replayed(caller.send(**call), first)
    assert caller.state() == after
    assert caller.send(**call, key="another-key").status_code < 300


DEMANDED: dict[str, Callable[[str], tuple[str, str, Any]]] = {
    "adjust_stock": lambda lamp: ("PATCH", f"{lamp}/stock?quantity=1", None),
    "create_movement": lambda lamp: (
        "POST",
        f"{lamp}/stock/movements/",
        {"quantity": 1, "reason": "found"},
    ),
    "count_stock": lambda lamp: ("POST", f"{lamp}/stock/count", {"counted": 9}),
    "create_movements": lambda lamp: (
        "POST",
        "/api/v1/stock/movements/batch",
        {"movements": [{"product_id": int(lamp.rpartition("/")[2]), "quantity": 1, "reason": "x"}]},
    ),
    "reverse_movement": lambda lamp: ("POST", "/api/v1/stock/movements/MOVEMENT/reverse", None),
}


@pytest.mark.parametrize("operation", DEMANDED)
def test_where_a_key_is_demanded_stock_is_not_written_without(
    app: App, caller: Caller, lamp: str, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    method, path, body = DEMANDED[operation](lamp)
    movement = run(app, "SELECT max(id) FROM stock_movements")
    path, call = path.replace("MOVEMENT", str(movement)), {} if body is None else {"json": body}
    monkeypatch.setitem(app.config, "REQUIRE_IDEMPOTENCY_KEY", "stock")
    caller.not_without(method, path, call)


@pytest.mark.parametrize("operation", DEMANDED)
def test_where_none_is_demanded_stock_is_written_without(
    app: App, caller: Caller, lamp: str, operation: str
) -> None:
    method, path, body = DEMANDED[operation](lamp)
    movement = run(app, "SELECT max(id) FROM stock_movements")
    path, call = path.replace("MOVEMENT", str(movement)), {} if body is None else {"json": body}
    assert caller.send(method, path, None, **call).status_code in (200, 201)
