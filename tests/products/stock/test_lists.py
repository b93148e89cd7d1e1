"""The lists of movements: of a product and of all, filtered, sorted, and walked while they grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import pytest

from tests.answers import problem
from tests.products.stock.conftest import Shop

ALL = "/stock/movements"
Told = dict[str, Any]


class Year:
    """What two people did with two products, whatever a filter can tell apart."""

    def __init__(self, ada: Shop, bob: Shop) -> None:
        self.shop = ada
        self.lamp, self.desk = ada.product(stock=50), ada.product(stock=80)
        for shop, turn in ((ada, 1), (bob, 2), (ada, 3)):
            for id in self.lamp, self.desk:
                shop.moved(id, -turn, reference=f"invoice {turn}")
                shop.post(f"/products/{id}/stock/count", {"counted": 90 * turn})
            shop.batch((self.lamp, 1), (self.desk, turn), (self.lamp, 2), reference="invoice 2")
        gone = bob.moved(self.desk, -1)
        ada.post(f"{ALL}/{gone['id']}/reverse")
        self.ada, self.bob = ada.actor_id, bob.actor_id
        found = ada.get(ALL)["items"]
        self.told = [each for each in found if each["product_id"] in (self.lamp, self.desk)]
        assert len(self.told) == 2 + 12 + 9 + 2


@pytest.fixture
def year(shop: Shop, staff: Callable[[str], Shop]) -> Year:
    """Ada's and Bob's."""
    return Year(shop, staff("bob"))


def walk(
    shop: Shop, path: str, between: Callable[[], object] = int, **query: Any
) -> Iterator[Told]:
    """Every movement, page after page; `between` is done after each page."""
    page = shop.get(path, **query)
    for _ in range(99):  # an order that repeats itself would go on for ever
        yield from page["items"]
        if page["next_cursor"] is None:
            return
        between()
        page = shop.get(path, **query, cursor=page["next_cursor"])
        assert (page["total"], page["skip"]) == (None, None)
    raise AssertionError("the walk has no end")


def place(movement: Told) -> tuple[str, int]:
    return movement["created_at"], movement["id"]


def fits(movement: Told, since: str = "", until: str = "~", **equal: Any) -> bool:
    same = all(movement[name] == value for name, value in equal.items())
    return same and since <= movement["created_at"] < until


def test_the_newest_come_first(year: Year) -> None:
    assert year.told == sorted(year.told, key=place, reverse=True)
    for id in year.lamp, year.desk:
        mine = year.shop.get(f"/products/{id}/stock/movements")
        assert mine["items"] == [each for each in year.told if each["product_id"] == id]
        assert (mine["total"], mine["next_cursor"]) == (len(mine["items"]), None)


def test_filters_leave_out_what_does_not_fit_and_nothing_else(year: Year) -> None:
    """Each filter, and every combination of them, on both lists."""
    instants = sorted({each["created_at"] for each in year.told})
    filters: Told = {
        "reference": "invoice 2",
        "kind": "adjustment",
        "actor_id": year.bob,
        "since": instants[3],
        "until": instants[-3],
    }
    seen = 0
    for number in range(len(filters) + 1):
        for names in combinations(filters, number):
            query = {name: filters[name] for name in names}
            for id in year.lamp, year.desk:
                page = year.shop.get(f"/products/{id}/stock/movements", **query)
                mine = [it for it in year.told if it["product_id"] == id and fits(it, **query)]
                assert page["items"] == mine, query
                assert page["total"] == len(mine)
                seen += len(mine)
            whole = [each for each in year.told if fits(each, **query)]
            assert year.shop.get(ALL, **query)["items"] == whole, query
            assert whole or number == 5  # or this would show nothing
    assert seen


@pytest.mark.parametrize("kind", ["opening", "adjustment", "count", "reversal"])
def test_each_kind_can_be_asked_for(year: Year, kind: str) -> None:
    found = year.shop.get(ALL, kind=kind)["items"]
    assert found == [each for each in year.told if each["kind"] == kind] != []


def test_since_is_included_and_until_is_not(shop: Shop) -> None:
    id = shop.product()
    one, two, three = (shop.moved(id, 1) for _ in range(3))
    path = f"/products/{id}/stock/movements"
    assert shop.get(path, since=two["created_at"])["items"] == [three, two]
    assert shop.get(path, until=two["created_at"])["items"] == [one]
    assert shop.get(path, since=two["created_at"], until=two["created_at"])["items"] == []


def test_a_reference_is_the_whole_and_exact_one(year: Year) -> None:
    for reference in "invoice", "Invoice 2", "invoice%", "invoice _", "2":
        assert year.shop.get(ALL, reference=reference)["items"] == []
    assert year.shop.get(ALL, reference=" invoice 2 ")["items"]  # trimmed, as it was when stored


def test_nobody_s_movements_are_none(year: Year) -> None:
    found = year.shop.get(ALL, actor_id=2**63 - 1)
    assert (found["items"], found["total"]) == ([], 0)


def test_a_page_tells_where_it_stands(year: Year) -> None:
    part = year.shop.get(ALL, skip=3, limit=4)
    assert part["items"] == year.told[3:7]
    assert (part["total"], part["skip"], part["limit"]) == (len(year.told), 3, 4)
    assert part["next_cursor"]


@pytest.mark.parametrize("limit", [1, 4, 24, 25])
@pytest.mark.parametrize(
    ("sort", "key"),
    [
        ("-created_at,-id", lambda it: place(it)),
        ("-id", lambda it: it["id"]),
    ],
)
def test_a_walk_sees_every_movement_once_in_order(
    year: Year, sort: str, key: Callable[[Told], Any], limit: int
) -> None:
    upwards = sorted(year.told, key=key)
    assert list(walk(year.shop, ALL, sort=sort, limit=limit)) == upwards[::-1]
    there = sort.replace("-", "")
    assert list(walk(year.shop, ALL, sort=there, limit=limit)) == upwards


@pytest.mark.parametrize("query", [{}, {"kind": "adjustment"}, {"reference": "invoice 2"}])
def test_a_walk_is_not_disturbed_by_what_is_written_meanwhile(year: Year, query: Told) -> None:
    """Newest first, what is new stands before the cursor; oldest first, it is seen in its turn."""
    before = [each for each in year.told if fits(each, **query)]
    written: list[int] = []

    def write() -> None:
        if len(written) < 24:
            answer = year.shop.batch((year.lamp, 2), (year.lamp, -1), reference="invoice 2")
            written.extend(each["id"] for each in (answer.json or {})["movements"])

    seen = list(walk(year.shop, ALL, write, limit=3, **query))
    assert seen == before
    assert len(written) >= 4
    seen = list(walk(year.shop, ALL, write, limit=3, sort="created_at,id", **query))
    ids = [each["id"] for each in seen]
    assert len(ids) == len(set(ids)) == len(before) + len(written)
    assert set(ids) == {each["id"] for each in before} | set(written)


def test_a_cursor_keeps_to_its_sort(year: Year) -> None:
    cursor = year.shop.get(ALL, limit=2)["next_cursor"]
    for query in ({"sort": "id"}, {"sort": "created_at,id"}, {"skip": 0}):
        answer = year.shop.ask(ALL, cursor=cursor, **query)
        [error] = problem(answer, 422, "invalid_fields")["errors"]
        assert error["field"] == "cursor"


WRONG = {
    "limit": ["0", "101", "-1", "1.5", ""],
    "skip": ["-1", "1000001", "x"],
    "sort": ["", "quantity", "product_id", "id,id", "-created_at,created_at", "hashed_password"],
    "cursor": ["x", "."],
    "kind": ["", "sale", "Count", "opening,count"],
    "actor_id": ["0", "-1", "ada", "9223372036854775808", ""],
    "reference": ["", "%20", "x" * 256, "%00"],
    "since": ["", "today", "2026-01-05", "2026-01-05T10:00:00"],
    "until": ["", "tomorrow", "2026-13-01T00:00:00Z"],
    "product_id": ["1"],
    "q": ["lamp"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_a_wrong_question_is_refused_by_both_lists(shop: Shop, name: str, value: str) -> None:
    for path in ALL, f"/products/{shop.product()}/stock/movements":
        answer = shop.ask(f"{path}?{name}={value}")
        [error] = problem(answer, 422, "invalid_fields")["errors"]
        assert (error["in"], error["field"]) == ("query", name)


def test_of_what_never_moved_there_is_an_empty_page(shop: Shop) -> None:
    path = f"/products/{shop.product()}/stock/movements"
    nothing = {"items": [], "total": 0, "skip": 0, "limit": 100, "next_cursor": None}
    assert shop.get(path) == shop.get(f"{path}/") == nothing
