"""Lists: bounds, totals, orders, and a walk by cursor that skips and repeats nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from project.db import db
from project.http.app import App
from tests.samples.make import make_sample
from tests.samples.models import Sample

URL = "/api/v1/samples/"
NAMES = ["Éclair", "apple", "Banana", "cherry", "äpfel", "Apricot", "banana bread", "Zebra", "éa"]
SORTS = ["id", "name", "price", "amount", "created_at", "updated_at"]
ORDERS = [f"{way}{name}" for name in SORTS for way in ("", "-")]
ORDERS += [
    "-price,name",
    "amount,-price",
    "amount,-id",
    "-amount,price,-name,id",
    "price,-updated_at",
]


@pytest.fixture
def shelf(app: App, isolated: None) -> None:
    """Nine samples with few distinct prices and amounts."""
    with app.app_context():
        for number, name in enumerate(NAMES):
            make_sample(
                name=name,
                price=Decimal(1 + number % 3),
                amount=number % 2,
                is_active=bool(number % 2),
            )
        db.session.commit()


def get(client: FlaskClient, query: str = "", url: str = URL) -> dict[str, Any]:
    answer = client.get(f"{url}?{query}")
    assert answer.status_code == 200, answer.text
    found = dict(answer.json or {})
    assert list(found) == ["items", "total", "skip", "limit", "next_cursor"]
    return found


def walk(client: FlaskClient, query: str, url: str = URL) -> Iterator[dict[str, Any]]:
    """Every item, page after page by cursor."""
    page = get(client, query, url)
    yield from page["items"]
    for _ in range(60):  # an order that repeats itself would go on for ever
        if page["next_cursor"] is None:
            break
        page = get(client, f"{query}&cursor={quote(page['next_cursor'])}", url)
        assert (page["total"], page["skip"]) == (None, None)
        assert page["items"]
        yield from page["items"]


def refused(client: FlaskClient, query: str, url: str = URL) -> tuple[str, str]:
    answer = client.get(f"{url}?{query}")
    assert answer.status_code == 422, answer.text
    assert answer.content_type == "application/problem+json"
    error = (answer.json or {})["errors"][0]
    assert error["in"] == "query"
    return error["field"], error["code"]


@pytest.mark.usefixtures("shelf")
def test_a_page_tells_where_it_stands(client: FlaskClient) -> None:
    whole = get(client)
    assert (whole["total"], whole["skip"], whole["limit"]) == (9, 0, 100)
    assert whole["next_cursor"] is None
    ids = [item["id"] for item in whole["items"]]
    assert ids == sorted(ids)
    part = get(client, "skip=3&limit=4")
    assert [item["id"] for item in part["items"]] == ids[3:7]
    assert (part["total"], part["skip"], part["limit"]) == (9, 3, 4)
    assert part["next_cursor"]


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    ("query", "rows", "more"),
    [
        ("limit=9", 9, False),
        ("limit=8", 8, True),
        ("limit=1", 1, True),
        ("skip=0&limit=100", 9, False),
        ("skip=5&limit=4", 4, False),
        ("skip=9", 0, False),
        ("skip=1000000&limit=1", 0, False),
    ],
)
def test_the_total_is_exact_on_every_page(
    client: FlaskClient, query: str, rows: int, more: bool
) -> None:
    page = get(client, query)
    assert (page["total"], len(page["items"])) == (9, rows)
    assert (page["next_cursor"] is not None) == more


def test_an_empty_list_is_a_page_too(client: FlaskClient) -> None:
    assert get(client) == {"items": [], "total": 0, "skip": 0, "limit": 100, "next_cursor": None}
    assert get(client, "skip=7")["total"] == 0


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("sort", ORDERS)
@pytest.mark.parametrize("limit", [1, 2, 4])
def test_a_walk_sees_every_row_once_in_order(client: FlaskClient, sort: str, limit: int) -> None:
    whole = get(client, f"sort={sort}")["items"]
    assert list(walk(client, f"sort={sort}&limit={limit}")) == whole
    assert len({item["id"] for item in whole}) == 9


@pytest.mark.usefixtures("shelf")
def test_orders_mean_what_they_say(client: FlaskClient) -> None:
    items = get(client, "sort=-price,id")["items"]
    keys = [(-Decimal(item["price"]), item["id"]) for item in items]
    assert keys == sorted(keys)
    same = [(item["amount"], item["id"]) for item in get(client, "sort=amount")["items"]]
    assert same == sorted(same)  # ends with the primary key
    plain = [item["name"] for item in get(client, "sort=name")["items"] if item["name"].isascii()]
    assert plain == sorted(plain, key=str.lower)


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("sort", ["id", "-name", "price", "-amount,price"])
def test_rows_that_come_and_go_disturb_no_walk(app: App, client: FlaskClient, sort: str) -> None:
    stay = {item["id"] for item in get(client)["items"]}
    seen: list[int] = []
    gone = 0
    for number, item in enumerate(walk(client, f"sort={sort}&limit=1")):
        seen.append(item["id"])
        with app.app_context():
            new = make_sample(name=f"{'aé~'[number % 3]}{number}", price=Decimal(number % 4 + 1))
            if number >= 4 and not gone and not item["amount"]:  # the very row the cursor stands on
                db.session.delete(db.session.get_one(Sample, gone := item["id"]))
            if number % 2:
                db.session.delete(new)
            db.session.commit()
        if number > 40:
            break  # insertions behind the cursor would go on for ever
    assert gone
    assert stay <= set(seen)
    assert len(seen) == len(set(seen))


@pytest.mark.usefixtures("shelf")
def test_a_cursor_belongs_to_its_sort_and_cannot_be_made_up(client: FlaskClient) -> None:
    cursor = get(client, "sort=-price&limit=2")["next_cursor"]
    assert get(client, f"sort=-price&limit=3&cursor={cursor}")["limit"] == 3
    for wrong in (
        f"cursor={cursor}",
        f"sort=price&cursor={cursor}",
        f"sort=-price,name&cursor={cursor}",
        f"sort=-price&cursor={cursor}&skip=0",
        f"sort=-price&cursor={cursor}&skip=2",
        f"sort=-price&cursor={cursor[:-1]}",
        f"sort=-price&cursor=x{cursor}",
        f"sort=-price&cursor={cursor}é",
        "cursor=W1wiaWRcIixbXCIxXCJdXQ",
        "cursor=.",
        "cursor=%F0%9F%98%80",
    ):
        assert refused(client, wrong)[0] == "cursor", wrong
    assert refused(client, "cursor=") == ("cursor", "blank")
    assert refused(client, f"cursor={'A' * 4001}") == ("cursor", "too_long")


def test_a_cursor_carries_the_longest_name(app: App, client: FlaskClient) -> None:
    letters = "😀İß\\\"'%\u0001"
    with app.app_context():
        for number in range(4):
            make_sample(name=(letters * 40)[:250] + str(number))
        db.session.commit()
    pages = list(walk(client, "sort=name&limit=1"))
    assert len({item["id"] for item in pages}) == 4
    longest = get(client, "sort=name&limit=1")["next_cursor"]
    assert len(f"GET {URL}?sort=name&limit=1&cursor={longest} HTTP/1.1") < 4094


BOUNDS = {
    "limit": [
        *["0", "101", "-1", "99999999999999999999", "1.0", "1e1", "abc", "", "%D9%A3"],
        "1_0",
    ],
    "skip": ["-1", "1000001", "10000000000000000000000000000000", "1.5", "", "%2B5", "+5", "%00"],
    "sort": ["", "colour", "-", "--price", "price,", ",price", "price,price", "price,-price"],
}
BOUNDS["sort"] += ["PRICE", "price;drop", "price name", "%00", "id,name,x", "hashed_password"]
BOUNDS |= {"colour": ["red"], "Limit": ["5"], "": ["1"], "page": ["2"], "q": ["lamp"]}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BOUNDS.items() for value in values]
)
def test_out_of_bounds_or_unknown_is_refused(client: FlaskClient, name: str, value: str) -> None:
    assert refused(client, f"{name}={value}")[0] == name


@pytest.mark.parametrize("name", ["limit", "skip", "sort", "active_only", "cursor", "colour"])
def test_a_parameter_is_sent_once(client: FlaskClient, name: str) -> None:
    assert refused(client, f"{name}=1&{name}=1") == (name, "repeated")


@pytest.mark.usefixtures("shelf")
def test_a_page_and_a_cursor_keep_the_filters(client: FlaskClient) -> None:
    query = "sort=-name&active_only=true&price_min=2"
    whole = get(client, query)
    assert whole["total"] == len(whole["items"]) == 3
    assert list(walk(client, f"{query}&limit=1")) == whole["items"]
    assert get(client, f"{query}&limit=1")["total"] == 3


def test_a_page_is_plain_json(client: FlaskClient) -> None:
    answer = client.get(URL)
    assert answer.content_type == "application/json"
    assert json.loads(answer.data) == answer.json
