"""What is asked of the database: how often, and on which index where there are many lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from project.db import Spoken, db
from project.http.app import App
from tests.asked import Asked, listening
from tests.products.stock.conftest import Shop

# Half of them of one product, the rest of many; forty actors, and a rarer kind now and then.
MANY = """
INSERT INTO products (name, price)
SELECT 'Many ' || n, 1 FROM generate_series(0, 49) AS n;
INSERT INTO stock_movements
    (product_id, quantity, balance_after, kind, reference, actor_id, request_id, created_at)
SELECT CASE WHEN n % 2 = 0 THEN first ELSE first + n % 50 END, 1, n,
    CASE n % 97 WHEN 0 THEN 'count' WHEN 1 THEN 'reversal' WHEN 2 THEN 'opening'
    ELSE 'adjustment' END,
    CASE WHEN n % 3 > 0 THEN 'invoice ' || n / 25 END, n % 40 + 1, 'x',
    timestamptz '2024-01-01' + n * interval '20 minutes'
FROM generate_series(1, 40000) AS n,
    (SELECT id AS first FROM products WHERE name = 'Many 0') AS products;
ANALYZE products, stock_movements;
"""
COUNT = "SELECT count(stock_movements.id) AS count_1 \nFROM"
FEW = 1_000  # rows that a page may read, of 40,000
DEEP = "2024-02-01T00:00:00.000000Z"

Plan = dict[str, Any]


@pytest.fixture
def asked(app: App, isolated: None) -> Iterator[list[Asked]]:
    """Every page of the ledger that is asked for from here on."""
    seen: list[Asked] = []

    def hear(asked: Asked) -> None:
        if "FROM stock_movements" in asked.text and not asked.text.startswith(COUNT):
            seen.append(asked)

    with app.app_context():
        connection = db.engines[None]
    with listening(connection, hear):
        yield seen


@pytest.fixture
def many(shop: Shop) -> int:
    """The first of many products with many movements; the one seven further has fewer."""
    shop.run(MANY)
    return int(shop.run("SELECT id FROM products WHERE name = 'Many 0'")[0][0])


def nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


def explained(cursor: Any, statement: str, values: Any = None) -> list[Plan]:
    cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
    [[[document]]] = cursor.fetchall()
    return list(nodes(document["Plan"]))


def read(app: App, asked: list[Asked], *, sorts: bool = True) -> list[float]:
    """How many rows each of these questions reads; none of them the whole table."""
    rows = []
    with app.app_context():
        connection: Any = db.engines[None]
        for statement in [*asked]:
            cursor = connection.connection.driver_connection.cursor()
            searches = [each for each in statement.values or () if isinstance(each, Spoken)]
            plan = explained(cursor, statement.query, statement.values)
            inner = [node for each in searches for node in explained(cursor, each.text(cursor))]
            kinds = {node["Node Type"] for node in [*plan, *inner]}
            assert "Seq Scan" not in kinds, (statement, plan, inner)
            orders = {node["Node Type"] for node in inner or plan}
            assert sorts or not orders & {"Sort", "Incremental Sort"}, (statement, plan, inner)
            counts = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
            read = [sum(node.get(name, 0) for name in counts) for node in [*plan, *inner]]
            rows.append(max(read))
    return rows


def ask_everything(shop: Shop, first: int) -> None:
    """Each list with each filter: its first page, and the one behind it."""
    of, every = f"/products/{first + 7}/stock/movements", "/stock/movements"
    questions: list[tuple[str, dict[str, Any]]] = [
        (of, {}),
        (of, {"until": DEEP}),
        (of, {"since": DEEP}),
        (of, {"sort": "created_at,id"}),
        (every, {}),
        (every, {"until": DEEP}),
        (every, {"since": DEEP}),
        (every, {"sort": "created_at,id"}),
        (every, {"kind": "adjustment"}),
        (every, {"kind": "count"}),
        (every, {"kind": "opening"}),
        (every, {"kind": "reversal"}),
        (every, {"actor_id": 7}),
        (every, {"actor_id": 7, "until": DEEP}),
        (every, {"reference": "invoice 777"}),
        (every, {"reference": "invoice 777", "since": DEEP}),
    ]
    for path, query in questions:
        limit = 10 if "reference" in query or "until" in query else 100
        page = shop.get(path, limit=limit, **query)
        assert len(page["items"]) == limit, (path, query)
        assert shop.get(path, limit=limit, **query, cursor=page["next_cursor"])["items"]


def test_every_list_stands_on_an_index(app: App, shop: Shop, many: int, asked: list[Asked]) -> None:
    ask_everything(shop, many)
    rows = read(app, asked)
    assert len(rows) == 32
    assert max(rows) <= FEW


@pytest.mark.parametrize("index", ["product", "created_at", "actor", "reference", "kind"])
def test_a_missing_index_is_noticed(
    app: App, shop: Shop, many: int, asked: list[Asked], index: str
) -> None:
    """The control: without any of them, the test above would fail."""
    shop.run(f"DROP INDEX ix_stock_movements_{index}")
    ask_everything(shop, many)
    with pytest.raises(AssertionError):
        assert max(read(app, asked)) <= FEW


def test_a_cursor_costs_the_same_at_any_depth(
    app: App, shop: Shop, many: int, asked: list[Asked]
) -> None:
    for path in f"/products/{many}/stock/movements", "/stock/movements":
        asked.clear()
        cursor: dict[str, str] = {}
        for _ in range(30):
            page = shop.get(path, **cursor)
            cursor = {"cursor": page["next_cursor"]}
        assert max(read(app, asked, sorts=False)) < 300


def test_any_past_stands_on_an_index(app: App, shop: Shop, many: int, asked: list[Asked]) -> None:
    for id in many, many + 7:
        for moment in DEEP, "2020-01-01T00:00:00Z", "2025-06-01T00:00:00Z":
            shop.get(f"/products/{id}/stock", at=moment)
    assert len(asked) == 6
    assert max(read(app, asked, sorts=False)) < 100


WRITES: dict[str, tuple[Callable[[Shop, int, int], Any], int]] = {
    "adjust": (lambda shop, a, b: shop.call("PATCH", f"/products/{a}/stock?quantity=-1"), 0),
    "move": (lambda shop, a, b: shop.move(a, -1, expected_stock=500), 0),
    "count": (lambda shop, a, b: shop.count(a, 7), 1),
    "put": (lambda shop, a, b: shop.change(a, "PUT", stock=7), 1),
    "patch": (lambda shop, a, b: shop.change(a, stock=7, price="2"), 1),
    "batch of one": (lambda shop, a, b: shop.batch((a, 1)), 2),
    "batch of a hundred": (lambda shop, a, b: shop.batch(*[(a, 1), (b, -2)] * 50), 2),
    "create": (lambda shop, a, b: shop.post("/products/", {"name": "N", "price": 1}), 0),
    "create with stock": (
        lambda shop, a, b: shop.post("/products/", {"name": "N", "price": 1, "stock": 9}),
        0,
    ),
}


@pytest.mark.parametrize("way", WRITES)
def test_nobody_looks_before_he_writes(shop: Shop, statements: list[str], way: str) -> None:
    """One question is whose token it is, and the last is the event, where that is not in the
    statement itself; the rest writes, or locks what it is about to write.
    """
    ids = [shop.product(stock=500) for _ in range(2)]
    write, number = WRITES[way]
    statements.clear()
    assert write(shop, *ids).status_code in (200, 201)
    assert "FROM users" in statements[0]
    assert "INTO events" in statements[-1]
    others = statements[1:-1]
    assert len(others) == number, others
    for statement in others:
        assert statement.startswith(("WITH", "INSERT")) or "FOR NO KEY UPDATE" in statement
