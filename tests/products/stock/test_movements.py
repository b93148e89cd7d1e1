"""POST and GET of a movement, and its reversal."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.answers import document, problem
from tests.products.stock.conftest import Shop

MEMBERS = ["id", "product_id", "quantity", "balance_after", "kind", "reason", "reference"]
MEMBERS += ["reverses_id", "actor_id", "actor_name", "request_id", "created_at"]
MOVEMENTS = "/api/v1/stock/movements/"


@pytest.fixture
def lamp(shop: Shop) -> int:
    """A product with five in stock."""
    return shop.product(stock=5)


def short(stock: int, requested: int) -> str:
    return f"Insufficient stock. Current: {stock}, Requested: {requested}"


def test_a_movement_is_answered_whole_and_found_again(shop: Shop, lamp: int) -> None:
    answer = shop.move(lamp, -2, reason=" sold ", reference=" invoice 7 ", expected_stock=5)
    found = document(answer, 201)
    assert list(found) == MEMBERS
    assert found == {
        "id": found["id"],
        "product_id": lamp,
        "quantity": -2,
        "balance_after": 3,
        "kind": "adjustment",
        "reason": "sold",
        "reference": "invoice 7",
        "reverses_id": None,
        "actor_id": shop.actor_id,
        "actor_name": "ada",
        "request_id": answer.headers["X-Request-Id"],
        "created_at": found["created_at"],
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", found["created_at"])
    assert answer.headers["Location"] == f"{MOVEMENTS}{found['id']}"
    again = shop.client.get(answer.headers["Location"], headers=shop.headers)
    assert document(again) == found
    assert again.headers["ETag"] == answer.headers["ETag"] == f'"{found["id"]}-1"'
    assert shop.state(lamp) == (3, 2)


def test_a_reader_who_holds_a_movement_gets_no_second_copy(shop: Shop, lamp: int) -> None:
    sent = shop.move(lamp, 1)
    path = f"/stock/movements/{document(sent, 201)['id']}"
    held = shop.call("GET", path, headers={"If-None-Match": sent.headers["ETag"]})
    assert (held.status_code, held.data, held.headers["ETag"]) == (304, b"", sent.headers["ETag"])
    other = {"If-None-Match": sent.headers["ETag"].replace("-1", "-2")}
    assert shop.call("GET", path, headers=other).status_code == 200


@pytest.mark.parametrize(("quantity", "stock"), [(-5, 0), (-1, 4), (1_000_000, 1_000_005)])
def test_the_last_piece_and_the_greatest_quantity_can_move(
    shop: Shop, lamp: int, quantity: int, stock: int
) -> None:
    assert shop.moved(lamp, quantity)["balance_after"] == stock
    assert shop.state(lamp) == (stock, 2)


def test_what_is_not_there_cannot_be_taken(shop: Shop, lamp: int) -> None:
    for requested in 6, 1_000_000:
        refused = problem(shop.move(lamp, -requested), 400, "insufficient_stock")
        assert refused["detail"] == short(5, requested)
    shop.moved(lamp, -5)
    assert problem(shop.move(lamp, -1), 400, "insufficient_stock")["detail"] == short(0, 1)
    assert shop.state(lamp) == (0, 2)
    assert shop.lines(lamp) == [("opening", 5, 5), ("adjustment", -5, 0)]


def test_stock_never_exceeds_its_column(shop: Shop) -> None:
    full = shop.product(stock=2**31 - 2)
    assert shop.moved(full, 1)["balance_after"] == 2**31 - 1
    refused = problem(shop.move(full, 1), 400, "stock_limit")
    assert refused["detail"] == "Stock would exceed 2147483647"
    assert shop.state(full) == (2**31 - 1, 2)


@pytest.mark.parametrize(("expected", "quantity"), [(4, -1), (6, -6), (0, 1), (2**31 - 1, -100)])
def test_another_stock_than_expected_moves_nothing(
    shop: Shop, lamp: int, expected: int, quantity: int
) -> None:
    refused = problem(shop.move(lamp, quantity, expected_stock=expected), 412, "stale_stock")
    assert refused["detail"] == f"The stock of product {lamp} is 5 now; read it again"
    assert shop.state(lamp) == (5, 1)


def test_the_expected_stock_is_still_not_enough_for_more(shop: Shop, lamp: int) -> None:
    refused = problem(shop.move(lamp, -6, expected_stock=5), 400, "insufficient_stock")
    assert refused["detail"] == short(5, 6)
    assert shop.moved(lamp, -5, expected_stock=5)["balance_after"] == 0
    assert shop.moved(lamp, 1, expected_stock=0)["balance_after"] == 1


WRONG: list[tuple[str, Any, str]] = [
    ("quantity", 1.5, "invalid"),
    ("quantity", "5", "invalid"),
    ("quantity", True, "invalid"),
    ("quantity", [1], "invalid"),
    ("quantity", 1_000_001, "out_of_range"),
    ("quantity", -1_000_001, "out_of_range"),
    ("quantity", 10**30, "out_of_range"),
    ("quantity", 0, "zero"),
    ("quantity", None, "null"),
    ("reason", None, "null"),
    ("reason", "", "blank"),
    ("reason", " \t\u00a0\u3000\n", "blank"),
    ("reason", "x" * 256, "too_long"),
    ("reason", 5, "invalid"),
    ("reference", "x" * 256, "too_long"),
    ("reference", ["7"], "invalid"),
    ("expected_stock", None, "null"),
    ("expected_stock", "5", "invalid"),
    ("expected_stock", -1, "out_of_range"),
    ("expected_stock", 2**31, "out_of_range"),
    *[(name, 1, "unknown") for name in ("kind", "actor_id", "balance_after", "request_id")],
    *[(name, 1, "unknown") for name in ("id", "product_id", "created_at", "reverses_id")],
]


@pytest.mark.parametrize(("field", "value", "code"), WRONG, ids=lambda value: repr(value)[:20])
def test_a_wrong_field_is_named_and_moves_nothing(
    shop: Shop, lamp: int, field: str, value: Any, code: str
) -> None:
    body = {"quantity": 1, "reason": "came", field: value}
    refused = problem(shop.post(f"/products/{lamp}/stock/movements", body), 422, "invalid_fields")
    [error] = refused["errors"]
    assert (error["in"], error["field"], error["code"]) == ("body", field, code)
    assert shop.state(lamp) == (5, 1)
    assert shop.lines(lamp) == [("opening", 5, 5)]


@pytest.mark.parametrize("field", ["quantity", "reason"])
def test_how_many_and_why_must_be_said(shop: Shop, lamp: int, field: str) -> None:
    body = {"quantity": 1, "reason": "came"}
    del body[field]
    refused = problem(shop.post(f"/products/{lamp}/stock/movements", body), 422, "invalid_fields")
    assert [(it["field"], it["code"]) for it in refused["errors"]] == [(field, "required")]


@pytest.mark.parametrize("reference", [None, "x" * 255, "😀" * 255])
def test_the_limits_themselves_are_allowed(shop: Shop, lamp: int, reference: str | None) -> None:
    found = shop.moved(lamp, 1, reason="x" * 255, reference=reference)
    assert (found["reason"], found["reference"]) == ("x" * 255, reference)


@pytest.mark.parametrize("id", [0, 10**9, 2**63 - 1, 2**63, 10**25])
def test_what_is_not_there_is_named(shop: Shop, id: int) -> None:
    product, movement = f"Product with id {id} not found", f"Movement with id {id} not found"
    for answer, sentence in (
        (shop.move(id, 1), product),
        (shop.move(id, 1, expected_stock=1), product),
        (shop.post(f"/products/{id}/stock/count", {"counted": 0}), product),
        (shop.ask(f"/products/{id}/stock"), product),
        (shop.ask(f"/products/{id}/stock", at="2020-01-01T00:00:00Z"), product),
        (shop.ask(f"/products/{id}/stock/movements"), product),
        (shop.ask(f"/stock/movements/{id}"), movement),
        (shop.post(f"/stock/movements/{id}/reverse"), movement),
    ):
        assert problem(answer, 404, "not_found")["detail"] == sentence


def test_what_is_no_longer_sold_can_still_move(shop: Shop, lamp: int) -> None:
    assert shop.call("DELETE", f"/products/{lamp}").status_code == 204
    assert shop.moved(lamp, -5)["balance_after"] == 0
    assert shop.get(f"/products/{lamp}/stock")["stock"] == 0


def reverse(shop: Shop, movement: dict[str, Any]) -> Any:
    return shop.post(f"/stock/movements/{movement['id']}/reverse")


def test_a_movement_is_taken_back_by_its_opposite(shop: Shop, lamp: int) -> None:
    sold = shop.moved(lamp, -2, reference="invoice 7")
    answer = reverse(shop, sold)
    back = document(answer, 201)
    told = ("product_id", "quantity", "balance_after", "kind", "reverses_id", "actor_name")
    assert [back[name] for name in told] == [lamp, 2, 5, "reversal", sold["id"], "ada"]
    assert answer.headers["Location"] == f"{MOVEMENTS}{back['id']}"
    assert answer.headers["ETag"] == f'"{back["id"]}-1"'
    assert shop.get(f"/stock/movements/{back['id']}") == back
    assert shop.get(f"/stock/movements/{sold['id']}") == sold  # which it leaves as it was
    assert shop.state(lamp) == (5, 3)


@pytest.mark.parametrize("quantity", [-2, 3])
def test_a_movement_is_taken_back_once(shop: Shop, lamp: int, quantity: int) -> None:
    moved = shop.moved(lamp, quantity)
    document(reverse(shop, moved), 201)
    for _ in range(2):
        refused = problem(reverse(shop, moved), 409, "already_reversed")
        assert refused["detail"] == f"Movement {moved['id']} has been reversed already"
    assert shop.state(lamp) == (5, 3)
    assert len(shop.lines(lamp)) == 3


def test_it_is_already_reversed_even_where_it_could_not_be_done_again(shop: Shop) -> None:
    """Nothing is left of what came: a second opposite would not fit, but that is not the reason."""
    empty = shop.product()
    came = shop.moved(empty, 5)
    document(reverse(shop, came), 201)
    problem(reverse(shop, came), 409, "already_reversed")
    full = shop.product(stock=2**31 - 1)
    gone = shop.moved(full, -5)
    document(reverse(shop, gone), 201)
    problem(reverse(shop, gone), 409, "already_reversed")


def test_what_has_been_sold_since_cannot_be_taken_back(shop: Shop) -> None:
    id = shop.product()
    came = shop.moved(id, 5)
    shop.moved(id, -4)
    refused = problem(reverse(shop, came), 400, "insufficient_stock")
    assert refused["detail"] == short(1, 5)
    assert shop.state(id) == (1, 3)
    shop.moved(id, 4)
    assert document(reverse(shop, came), 201)["balance_after"] == 0  # a refusal uses nothing up


def test_what_would_not_fit_any_more_cannot_be_taken_back(shop: Shop) -> None:
    id = shop.product(stock=2**31 - 1)
    gone = shop.moved(id, -5)
    shop.moved(id, 1)
    refused = problem(reverse(shop, gone), 400, "stock_limit")
    assert refused["detail"] == "Stock would exceed 2147483647"


def test_a_reversal_can_be_reversed_and_that_as_well(shop: Shop, lamp: int) -> None:
    last = shop.moved(lamp, -2)
    for stock in (5, 3, 5):
        last = document(reverse(shop, last), 201)
        assert (last["balance_after"], last["kind"]) == (stock, "reversal")
    first = shop.get(f"/products/{lamp}/stock/movements", kind="adjustment")["items"][0]
    problem(reverse(shop, first), 409, "already_reversed")


def test_openings_and_counts_can_be_reversed_too(
    shop: Shop, staff: Callable[[str], Shop], lamp: int
) -> None:
    counted = document(shop.post(f"/products/{lamp}/stock/count", {"counted": 1}), 201)
    back = document(reverse(staff("bob"), counted), 201)
    assert (back["quantity"], back["balance_after"], back["actor_name"]) == (4, 5, "bob")
    [opening] = shop.get(f"/products/{lamp}/stock/movements", kind="opening")["items"]
    assert document(reverse(shop, opening), 201)["balance_after"] == 0
