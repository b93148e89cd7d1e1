"""GET /products/{id}/stock: now, and at any instant there ever was."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from project.http.fields import spell
from tests.answers import problem
from tests.products.stock.conftest import Shop

MOMENT = timedelta(microseconds=1)


def instant(document: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(document["created_at"])


def at(shop: Shop, id: int, moment: datetime | str) -> int:
    """What was in stock then."""
    spelled = moment if isinstance(moment, str) else spell(moment)
    found = shop.get(f"/products/{id}/stock", at=spelled)
    assert list(found) == ["product_id", "stock", "at"]
    assert (found["product_id"], found["at"]) == (id, spelled)
    return int(found["stock"])


def test_what_was_in_stock_is_told_for_every_instant(shop: Shop) -> None:
    id = shop.product(stock=5)
    shop.moved(id, -2)
    shop.call("PUT", f"/products/{id}", {"stock": 40})
    shop.moved(id, 7)
    lines = shop.get(f"/products/{id}/stock/movements", sort="created_at,id")["items"]
    balances = [line["balance_after"] for line in lines]
    assert balances == [5, 3, 40, 47]
    instants = [instant(line) for line in lines]
    assert [at(shop, id, moment) for moment in instants] == balances
    assert [at(shop, id, moment - MOMENT) for moment in instants] == [0, *balances[:-1]]
    between = [a + (b - a) / 2 for a, b in pairwise(instants)]
    assert [at(shop, id, moment) for moment in between] == balances[:-1]


def test_of_what_happened_at_one_instant_the_last_counts(shop: Shop) -> None:
    id = shop.product(stock=5)
    shop.batch((id, -7), (id, 3), (id, 9))
    [last, *others] = shop.get(f"/products/{id}/stock/movements")["items"][:3]
    assert {line["created_at"] for line in others} == {last["created_at"]}
    assert at(shop, id, last["created_at"]) == last["balance_after"] == 10
    assert at(shop, id, instant(last) - MOMENT) == 5


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00.000000Z", "1999-12-31T23:59:59.999999Z"])
def test_before_there_was_a_product_there_was_none_of_it(shop: Shop, moment: str) -> None:
    assert at(shop, shop.product(stock=5), moment) == 0


def test_the_same_instant_may_be_spelled_in_another_zone(shop: Shop) -> None:
    id = shop.product(stock=5)
    [opening] = shop.get(f"/products/{id}/stock/movements")["items"]
    for zone in "+02:00", "-11:30":
        moment = datetime.fromisoformat(opening["created_at"]).astimezone(
            datetime.fromisoformat(f"2000-01-01T00:00:00{zone}").tzinfo
        )
        found = shop.get(f"/products/{id}/stock", at=moment.isoformat())
        assert (found["stock"], found["at"]) == (5, opening["created_at"])


def test_other_products_do_not_count(shop: Shop) -> None:
    one, two = shop.product(stock=5), shop.product(stock=7)
    last = shop.moved(one, -1)
    shop.moved(two, 1)
    assert at(shop, one, last["created_at"]) == 4
    assert shop.get(f"/products/{one}/stock")["stock"] == 4
    assert shop.get(f"/products/{two}/stock")["stock"] == 8


def test_what_is_in_stock_now_was_so_at_the_instant_told(shop: Shop) -> None:
    """Also where the last change is younger than the question's transaction."""
    id = shop.product(stock=5)
    moved = shop.moved(id, -2)
    now = shop.get(f"/products/{id}/stock")
    assert (now["product_id"], now["stock"]) == (id, 3)
    assert now["at"] >= moved["created_at"]
    assert at(shop, id, now["at"]) == 3
    counted = shop.post(f"/products/{id}/stock/count", {"counted": 3}).json or {}
    assert at(shop, id, counted["at"]) == counted["stock"] == 3


@pytest.mark.parametrize("moment", ["2999-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
def test_the_future_is_not_known(shop: Shop, moment: str) -> None:
    answer = shop.ask(f"/products/{shop.product(stock=5)}/stock", at=moment)
    [error] = problem(answer, 422, "invalid_fields")["errors"]
    assert error == {
        "in": "query",
        "field": "at",
        "code": "in_future",
        "message": "Must not be in the future.",
    }


def test_the_next_minute_is_the_future_already(shop: Shop) -> None:
    id = shop.product(stock=5)
    soon = datetime.fromisoformat(shop.get(f"/products/{id}/stock")["at"]) + timedelta(minutes=1)
    problem(shop.ask(f"/products/{id}/stock", at=spell(soon)), 422, "invalid_fields")


ODD = ["", "now", "yesterday", "2026-01-05", "2026-01-05T10:00:00", "1767600000", "2026-W02-1"]
ODD += ["2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-05T25:00:00Z", "infinity"]
ODD += ["0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00"]
ODD += ["9999-12-31T23:59:59-01:00", "\uff12026-01-05T10:00:00Z", "2026-01-05T10:00:00Z'--", "\x00"]
ODD += ["2026-01-05T10:00:00 02:00", "2026-01-05T10:00:00Z" + " " * 40]


@pytest.mark.parametrize("moment", ODD)
def test_what_is_no_instant_is_refused(shop: Shop, moment: str) -> None:
    answer = shop.ask(f"/products/{shop.product()}/stock", at=moment)
    [error] = problem(answer, 422, "invalid_fields")["errors"]
    assert (error["in"], error["field"]) == ("query", "at")


def test_only_one_instant_can_be_asked_for_and_nothing_else(shop: Shop) -> None:
    id = shop.product()
    twice = "at=2020-01-01T00:00:00Z&at=2020-01-01T00:00:00Z"
    for query, name, code in ((twice, "at", "repeated"), ("when=now", "when", "unknown")):
        answer = shop.ask(f"/products/{id}/stock?{query}")
        [error] = problem(answer, 422, "invalid_fields")["errors"]
        assert (error["field"], error["code"]) == (name, code)
