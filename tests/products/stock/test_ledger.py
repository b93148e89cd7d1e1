"""The ledger: whatever changes stock writes its one line, or neither is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.answers import document, problem
from tests.products.stock.books import FAULTS, SAYS_NO
from tests.products.stock.conftest import Line, Shop

OPENED: list[Line] = [("opening", 5, 5)]

Way = Callable[[Shop, int], Any]


def created(shop: Shop, **values: Any) -> Any:
    return shop.post("/products/", {"name": "New", "price": 1, **values})


def reversed_last(shop: Shop, id: int) -> Any:
    last = shop.get(f"/products/{id}/stock/movements", limit=1)["items"][0]["id"]
    return shop.post(f"/stock/movements/{last}/reverse")


# Each way to change the stock of a product with five pieces, and what is told of it.
WAYS: dict[str, tuple[Way, list[Line]]] = {
    "adjust up": (
        lambda shop, id: shop.call("PATCH", f"/products/{id}/stock?quantity=3"),
        [("adjustment", 3, 8)],
    ),
    "adjust down": (
        lambda shop, id: shop.call("PATCH", f"/products/{id}/stock?quantity=-5"),
        [("adjustment", -5, 0)],
    ),
    "move": (lambda shop, id: shop.move(id, -2), [("adjustment", -2, 3)]),
    "put": (lambda shop, id: shop.change(id, "PUT", stock=9), [("count", 4, 9)]),
    "put more": (
        lambda shop, id: shop.change(id, "PUT", stock=0, price="2", is_active=False),
        [("count", -5, 0)],
    ),
    "patch": (lambda shop, id: shop.change(id, stock=1), [("count", -4, 1)]),
    "count": (lambda shop, id: shop.count(id, 6), [("count", 1, 6)]),
    "batch": (
        lambda shop, id: shop.batch((id, 2), (id, -7)),
        [("adjustment", 2, 7), ("adjustment", -7, 0)],
    ),
    "reverse": (reversed_last, [("reversal", -5, 0)]),
}
# And what leaves it as it is.
REST: dict[str, tuple[Way, int]] = {
    "put the same": (lambda shop, id: shop.change(id, "PUT", stock=5), 200),
    "patch the same": (lambda shop, id: shop.change(id, stock=5, price="3"), 200),
    "patch another field": (lambda shop, id: shop.change(id, price="3"), 200),
    "count right": (lambda shop, id: shop.count(id, 5), 200),
    "delete": (lambda shop, id: shop.call("DELETE", f"/products/{id}"), 204),
    "restore": (lambda shop, id: shop.post(f"/products/{id}/restore"), 200),
    "adjust too much": (
        lambda shop, id: shop.call("PATCH", f"/products/{id}/stock?quantity=-6"),
        400,
    ),
    "move too much": (lambda shop, id: shop.move(id, -6), 400),
    "move another stock": (lambda shop, id: shop.move(id, 1, expected_stock=4), 412),
    "batch too much": (lambda shop, id: shop.batch((shop.product(), 1), (id, -6)), 400),
    "patch a name that is taken": (
        lambda shop, id: shop.change(id, stock=9, name=taken(shop)),
        400,
    ),
    "put another version": (
        lambda shop, id: shop.call(
            "PUT", f"/products/{id}", {"stock": 9}, {"If-Match": f'"{id}-7"'}
        ),
        412,
    ),
    "patch nonsense": (lambda shop, id: shop.change(id, stock=9, price="0"), 422),
}


def taken(shop: Shop) -> str:
    shop.product(name="Taken")
    return "Taken"


@pytest.mark.parametrize("way", WAYS)
def test_every_change_of_stock_writes_its_line(shop: Shop, way: str) -> None:
    id = shop.product(stock=5)
    change, told = WAYS[way]
    assert change(shop, id).status_code in (200, 201)
    assert shop.lines(id) == OPENED + told
    assert shop.state(id) == (told[-1][2], 2)
    last = shop.get(f"/products/{id}/stock/movements")["items"][0]
    assert last["created_at"] == shop.get(f"/products/{id}")["updated_at"]
    assert (last["actor_id"], last["actor_name"]) == (shop.actor_id, "ada")
    assert shop.run(FAULTS) == []


@pytest.mark.parametrize("way", REST)
def test_what_changes_no_stock_writes_no_line(shop: Shop, way: str) -> None:
    id = shop.product(stock=5)
    change, status = REST[way]
    assert change(shop, id).status_code == status
    assert shop.lines(id) == OPENED
    assert shop.state(id)[0] == 5
    assert shop.run(FAULTS) == []


def test_a_product_is_opened_with_what_it_comes_with(shop: Shop) -> None:
    id = document(created(shop, stock=7), 201)["id"]
    assert shop.lines(id) == [("opening", 7, 7)]
    [line] = shop.get(f"/products/{id}/stock/movements")["items"]
    assert line["created_at"] == shop.get(f"/products/{id}")["created_at"]
    assert line["actor_id"] == shop.actor_id
    for name, values in (("Nothing", {"stock": 0}), ("Unsaid", {})):
        assert shop.lines(document(created(shop, name=name, **values), 201)["id"]) == []
    problem(created(shop, stock=3), 400, "duplicate_name")
    assert shop.run("SELECT count(*) FROM stock_movements WHERE quantity = 3") == [(0,)]


@pytest.mark.parametrize("way", [*WAYS, "create"])
def test_where_the_ledger_cannot_be_written_no_stock_changes(shop: Shop, way: str) -> None:
    """And of a new product nothing is left."""
    id = shop.product(stock=5)
    before = shop.get(f"/products/{id}")
    shop.run(SAYS_NO)
    change = WAYS[way][0] if way in WAYS else lambda shop, id: created(shop, stock=7)
    problem(change(shop, id), 503, "busy")
    assert shop.get(f"/products/{id}") == before
    assert shop.lines(id) == OPENED
    assert shop.run("SELECT count(*) FROM products WHERE name = 'New'") == [(0,)]
