"""POST /products/{id}/stock/count: what was counted by hand becomes the stock."""

from __future__ import annotations

from typing import Any

import pytest

from tests.answers import document, problem
from tests.products.stock.conftest import Shop


@pytest.fixture
def lamp(shop: Shop) -> int:
    """A product with five in stock."""
    return shop.product(stock=5)


@pytest.mark.parametrize(("counted", "difference"), [(0, -5), (4, -1), (6, 1), (2**31 - 1, None)])
def test_a_difference_becomes_a_movement(
    shop: Shop, lamp: int, counted: int, difference: int | None
) -> None:
    difference = counted - 5 if difference is None else difference
    answer = shop.count(lamp, counted, reason=" stocktaking ")
    found = document(answer, 201)
    told = ("product_id", "quantity", "balance_after", "kind", "reason", "reference", "actor_id")
    said = [lamp, difference, counted, "count", "stocktaking", None, shop.actor_id]
    assert [found[name] for name in told] == said
    assert answer.headers["Location"] == f"/api/v1/stock/movements/{found['id']}"
    assert answer.headers["ETag"] == f'"{found["id"]}-1"'
    assert shop.get(f"/stock/movements/{found['id']}") == found
    assert shop.state(lamp) == (counted, 2)
    assert shop.lines(lamp) == [("opening", 5, 5), ("count", difference, counted)]


def test_what_was_right_is_answered_and_nothing_is_written(shop: Shop, lamp: int) -> None:
    before = shop.get(f"/products/{lamp}")
    for _ in range(2):
        answer = shop.count(lamp, 5, reason="stocktaking")
        found = document(answer, 200)
        assert list(found) == ["product_id", "stock", "at"]
        assert (found["product_id"], found["stock"]) == (lamp, 5)
        assert "Location" not in answer.headers
        assert "ETag" not in answer.headers
    assert shop.get(f"/products/{lamp}") == before
    assert shop.lines(lamp) == [("opening", 5, 5)]


def test_nothing_of_what_never_came_is_right(shop: Shop) -> None:
    id = shop.product()
    assert document(shop.count(id, 0))["stock"] == 0
    assert shop.lines(id) == []
    assert document(shop.count(id, 3), 201)["quantity"] == 3


@pytest.mark.parametrize("reason", [None, "x" * 255])
def test_a_count_may_say_why(shop: Shop, lamp: int, reason: str | None) -> None:
    assert document(shop.count(lamp, 4, reason=reason), 201)["reason"] == reason


WRONG: list[tuple[str, Any, str]] = [
    ("counted", 1.5, "invalid"),
    ("counted", "5", "invalid"),
    ("counted", True, "invalid"),
    ("counted", [], "invalid"),
    ("counted", -1, "out_of_range"),
    ("counted", 2**31, "out_of_range"),
    ("counted", None, "null"),
    ("reason", "x" * 256, "too_long"),
    ("reason", 1, "invalid"),
    *[(name, 1, "unknown") for name in ("quantity", "reference", "expected_stock", "stock")],
]


@pytest.mark.parametrize(("field", "value", "code"), WRONG, ids=lambda value: repr(value)[:20])
def test_a_wrong_field_is_named_and_counts_nothing(
    shop: Shop, lamp: int, field: str, value: Any, code: str
) -> None:
    answer = shop.post(f"/products/{lamp}/stock/count", {"counted": 4, field: value})
    [error] = problem(answer, 422, "invalid_fields")["errors"]
    assert (error["in"], error["field"], error["code"]) == ("body", field, code)
    assert shop.state(lamp) == (5, 1)


def test_a_count_without_a_number_is_none(shop: Shop, lamp: int) -> None:
    answer = shop.post(f"/products/{lamp}/stock/count", {"reason": "stocktaking"})
    [error] = problem(answer, 422, "invalid_fields")["errors"]
    assert (error["field"], error["code"]) == ("counted", "required")
