"""POST /stock/movements/batch: all of it or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.answers import document, problem
from tests.products.stock.conftest import Shop


def movements(answer: Any) -> list[dict[str, Any]]:
    return list(document(answer, 201)["movements"])


def refused(answer: Any) -> list[tuple[str, str, str]]:
    """Which line is refused, why, and in what words."""
    errors = problem(answer, 400, "batch_refused")["errors"]
    assert {error["in"] for error in errors} == {"body"}
    return [(error["field"], error["code"], error["message"]) for error in errors]


def short(place: int, stock: int, requested: int) -> tuple[str, str, str]:
    sentence = f"Insufficient stock. Current: {stock}, Requested: {requested}"
    return (f"movements.{place}", "insufficient_stock", sentence)


def missing(place: int, id: int) -> tuple[str, str, str]:
    return (f"movements.{place}", "not_found", f"Product with id {id} not found")


def test_movements_are_answered_in_the_order_of_their_lines(shop: Shop) -> None:
    one, two, three = (shop.product(stock=9) for _ in range(3))
    lines = [(three, 1), (one, -4), (two, 5), (one, 2), (three, -8)]
    answer = shop.batch(*lines)
    found = movements(answer)
    assert [(each["product_id"], each["quantity"]) for each in found] == lines
    assert {each["kind"] for each in found} == {"adjustment"}
    assert {each["actor_name"] for each in found} == {"ada"}
    assert {each["request_id"] for each in found} == {answer.headers["X-Request-Id"]}
    assert [shop.state(id) for id in (one, two, three)] == [(7, 2), (14, 2), (2, 2)]
    assert answer.headers["Location"] == f"/api/v1/stock/movements/{found[0]['id']}"
    assert answer.headers["ETag"] == f'"{found[0]["id"]}-1"'
    for each in found:
        assert shop.get(f"/stock/movements/{each['id']}") == each


def test_the_lines_of_a_product_are_summed_before_they_are_judged(shop: Shop) -> None:
    id = shop.product(stock=5)
    found = movements(shop.batch((id, -7), (id, 3)))
    assert [each["quantity"] for each in found] == [-7, 3]
    assert shop.state(id) == (1, 2)
    assert shop.lines(id) == [("opening", 5, 5), ("adjustment", 3, 8), ("adjustment", -7, 1)]


def test_what_comes_to_nothing_is_still_told(shop: Shop) -> None:
    id = shop.product()
    movements(shop.batch((id, -4), (id, 4)))
    assert shop.state(id) == (0, 2)
    assert shop.lines(id) == [("adjustment", 4, 4), ("adjustment", -4, 0)]


@pytest.mark.parametrize(
    ("stock", "quantities"),
    [
        (0, [-1, -2, -3, 1, 2, 3]),
        (5, [-1_000_000, 999_996, -1]),
        (2**31 - 1, [1_000_000, -1_000_000, 3, -5]),
        (2**31 - 5, [1_000_000, -999_996]),
        (2**30, [-1_000_000] * 50 + [1_000_000] * 50),
    ],
)
def test_no_balance_on_the_way_is_beyond_the_column(
    shop: Shop, stock: int, quantities: list[int]
) -> None:
    id = shop.product(stock=stock)
    found = movements(shop.batch(*((id, quantity) for quantity in quantities)))
    assert [each["quantity"] for each in found] == quantities
    running = stock
    for each in sorted(found, key=lambda each: each["id"]):
        running += each["quantity"]
        assert each["balance_after"] == running
        assert 0 <= running <= 2**31 - 1
    assert shop.state(id)[0] == running == stock + sum(quantities)


def test_one_refused_line_and_nothing_is_written(shop: Shop) -> None:
    one, two = shop.product(stock=5), shop.product(stock=7)
    answer = shop.batch((one, -1), (two, -8), (one, 2))
    assert refused(answer) == [short(1, 7, 8)]
    said = "1 line was refused, and nothing was written; see errors."
    assert (answer.json or {})["detail"] == said
    assert [shop.state(id) for id in (one, two)] == [(5, 1), (7, 1)]
    assert shop.lines(one) == [("opening", 5, 5)]


def test_every_refused_line_is_named(shop: Shop) -> None:
    one, two, full = shop.product(stock=5), shop.product(stock=7), shop.product(stock=2**31 - 1)
    gone = 10**9
    answer = shop.batch((gone, 1), (one, -7), (two, -1), (full, 1), (one, 1), (gone, -1))
    too_much = ("movements.3", "stock_limit", "Stock would exceed 2147483647")
    assert refused(answer) == [
        missing(0, gone),
        short(1, 5, 6),
        too_much,
        short(4, 5, 6),
        missing(5, gone),
    ]
    said = "5 lines were refused, and nothing was written; see errors."
    assert (answer.json or {})["detail"] == said
    assert [shop.state(id) for id in (one, two, full)] == [(5, 1), (7, 1), (2**31 - 1, 1)]


@pytest.mark.parametrize("id", [10**9, 2**63 - 1])
def test_a_product_that_is_not_there_is_named(shop: Shop, id: int) -> None:
    assert refused(shop.batch((id, 1))) == [missing(0, id)]


def test_a_hundred_lines_are_taken_and_not_one_more(shop: Shop) -> None:
    ids = [shop.product(stock=1) for _ in range(3)]
    lines = [(ids[n % 3], 1 + n) for n in range(100)]
    found = movements(shop.batch(*lines))
    assert [(each["product_id"], each["quantity"]) for each in found] == lines
    for each in (*lines, lines[0]), ():
        [error] = problem(shop.batch(*each), 422, "invalid_fields")["errors"]
        assert (error["field"], error["message"]) == ("movements", "Must hold 1 to 100.")
    assert sum(shop.state(id)[0] for id in ids) == 3 + sum(range(1, 101))


def test_what_a_line_does_not_say_is_said_for_all(shop: Shop) -> None:
    id = shop.product()
    lines = [
        {"product_id": id, "quantity": 1},
        {"product_id": id, "quantity": 2, "reason": "found"},
        {"product_id": id, "quantity": 3, "reference": "note 8"},
        {"product_id": id, "quantity": 4, "reason": "lost", "reference": None},
    ]
    common = {"reason": "came", "reference": "note 7"}
    found = movements(shop.post("/stock/movements/batch", {"movements": lines, **common}))
    assert [(each["reason"], each["reference"]) for each in found] == [
        ("came", "note 7"),
        ("found", "note 7"),
        ("came", "note 8"),
        ("lost", "note 7"),  # null is nothing said, either
    ]
    found = movements(shop.post("/stock/movements/batch", {"movements": lines[:2]}))
    assert [(each["reason"], each["reference"]) for each in found] == [
        (None, None),
        ("found", None),
    ]


WRONG: list[tuple[str, Any, str]] = [
    ("quantity", 1.5, "invalid"),
    ("quantity", "5", "invalid"),
    ("quantity", True, "invalid"),
    ("quantity", 1_000_001, "out_of_range"),
    ("quantity", -1_000_001, "out_of_range"),
    ("quantity", 0, "zero"),
    ("quantity", None, "null"),
    ("product_id", None, "null"),
    ("product_id", "1", "invalid"),
    ("product_id", 0, "out_of_range"),
    ("product_id", 2**63, "out_of_range"),
    ("reason", "x" * 256, "too_long"),
    ("reference", "x" * 256, "too_long"),
    ("expected_stock", 1, "unknown"),
    ("kind", "count", "unknown"),
]


@pytest.mark.parametrize(("field", "value", "code"), WRONG, ids=lambda value: repr(value)[:20])
def test_a_wrong_field_of_a_line_is_named(shop: Shop, field: str, value: Any, code: str) -> None:
    id = shop.product(stock=5)
    good = {"product_id": id, "quantity": 1}
    sent = {"movements": [good, {**good, field: value}]}
    answer = shop.post("/stock/movements/batch", sent)
    [error] = problem(answer, 422, "invalid_fields")["errors"]
    said = (error["in"], error["field"], error["code"])
    assert said == ("body", f"movements.1.{field}", code)
    assert shop.state(id) == (5, 1)


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "movements", "required"),
        ({"movements": None}, "movements", "null"),
        ({"movements": {}}, "movements", "invalid"),
        ({"movements": "1"}, "movements", "invalid"),
        ({"movements": [1]}, "movements.0", "invalid"),
        ({"movements": [None]}, "movements.0", "null"),
        ({"movements": [{"quantity": 1}]}, "movements.0.product_id", "required"),
        ({"movements": [{"product_id": 1}]}, "movements.0.quantity", "required"),
        ({"movements": [{"product_id": 1, "quantity": 1}], "reason": 5}, "reason", "invalid"),
        ({"movements": [{"product_id": 1, "quantity": 1}], "kind": "x"}, "kind", "unknown"),
    ],
)
def test_what_is_no_batch_is_refused(shop: Shop, body: Any, field: str, code: str) -> None:
    answer = shop.post("/stock/movements/batch", body)
    [error] = problem(answer, 422, "invalid_fields")["errors"]
    assert (error["field"], error["code"]) == (field, code)
