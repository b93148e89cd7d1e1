"""Falls are told of once each, whoever sells and buys at the same moment."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from typing import Any

import pytest

from tests.products.stock.store import Store, crowd
from tests.server import Server

FEW = 10


@pytest.fixture(scope="module")
def store(server: Server) -> Store:
    return Store(server)


def told(store: Store, id: int) -> list[int]:
    """The stocks that this product was said to have fallen to."""
    low = (data for type, data in store.events() if type == "stock.low")
    return [data["stock"] for data in low if data["product_id"] == id]


def falls(store: Store, id: int) -> Iterator[int]:
    """What it fell to, as the ledger has it: the lines of one request are one movement."""
    opening, *lines = store.lines(id)
    before = opening["balance_after"]
    for _, together in groupby(lines, key=lambda line: line["request_id"]):
        stock = list(together)[-1]["balance_after"]
        if stock <= FEW < before:
            yield stock
        before = stock


def test_what_is_told_in_haste_are_the_falls_of_the_ledger(store: Store) -> None:
    chance = random.Random(3)
    ids = [store.product(FEW + 2, low_stock_threshold=FEW) for _ in range(2)]

    def some(id: int, n: int) -> Callable[[], Any]:
        lines = [{"product_id": id, "quantity": quantity} for quantity in (n, -2 * n, n)]
        lines.append({"product_id": chance.choice(ids), "quantity": n})
        path = f"/products/{id}"
        ways: list[tuple[Any, ...]] = [
            ("PATCH", f"{path}/stock?quantity={n}"),
            ("POST", f"{path}/stock/movements", {"quantity": n, "reason": "sold"}),
            ("POST", "/stock/movements/batch", {"movements": lines}),
            ("POST", f"{path}/stock/count", {"counted": FEW + n}),
            ("PATCH", path, {"stock": FEW + n}),
        ]
        return partial(store.call, *chance.choice(ways))

    answers = crowd(some(chance.choice(ids), chance.choice([-3, -2, 2, 3])) for _ in range(400))
    assert {status for status, _ in answers} <= {200, 201, 400}
    for id in ids:
        wanted = Counter(falls(store, id))
        assert wanted.total() > 10
        assert Counter(told(store, id)) == wanted


def test_of_many_who_sell_the_last_ones_one_tells(store: Store) -> None:
    id = store.product(100, low_stock_threshold=FEW)
    assert Counter(crowd(partial(store.move, id, -1) for _ in range(96))) == {201: 96}
    assert told(store, id) == [FEW]
