"""What falls to its threshold is told once, on whatever path; what is low can be asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from project.db import db
from project.http.app import App
from tests.answers import document
from tests.products.stock.clerk import Clerk
from tests.products.stock.conftest import Shop

LOW = "/stock/low"

Said = tuple[int, int, int]  # product, stock, threshold
Way = Callable[[Shop, int, Path], Any]


@pytest.fixture
def said(shop: Shop) -> Callable[[], list[Said]]:
    """What was said to be low since one asked last."""
    return lambda: [
        (data["product_id"], data["stock"], data["threshold"])
        for type, data in shop.events()
        if type == "stock.low"
    ]


def imported(shop: Shop, path: Path, row: str) -> None:
    """The row of Lamp, among others, is taken from a file."""
    result = shop.import_(path / "products.csv", f"Rug,1,9\n{row}\nShelf,1,0", "--update")
    assert result.exit_code == 0, result.stdout


def reversed_last(shop: Shop, id: int) -> Any:
    last = shop.get(f"/products/{id}/stock/movements", limit=1)["items"][0]["id"]
    return shop.post(f"/stock/movements/{last}/reverse")


# From six pieces, with a threshold of three: each way down, and what is left.
DOWN: dict[str, tuple[Way, int]] = {
    "adjust": (lambda shop, id, _: shop.call("PATCH", f"/products/{id}/stock?quantity=-3"), 3),
    "adjust to nothing": (
        lambda shop, id, _: shop.call("PATCH", f"/products/{id}/stock?quantity=-6"),
        0,
    ),
    "move": (lambda shop, id, _: shop.move(id, -4), 2),
    "move as expected": (lambda shop, id, _: shop.move(id, -4, expected_stock=6), 2),
    "put": (lambda shop, id, _: shop.change(id, "PUT", stock=1), 1),
    "patch": (lambda shop, id, _: shop.change(id, stock=3, price="2"), 3),
    "patch both": (lambda shop, id, _: shop.change(id, stock=3, low_stock_threshold=3), 3),
    "count": (lambda shop, id, _: shop.count(id, 2), 2),
    "batch": (lambda shop, id, _: shop.batch((id, -3)), 3),
    "batch of many lines": (lambda shop, id, _: shop.batch((id, -2), (id, 5), (id, -6)), 3),
    "batch that could tell twice": (lambda shop, id, _: shop.batch(*[(id, -1)] * 6), 0),
    "reverse": (lambda shop, id, _: reversed_last(shop, id), 0),
    "import": (lambda shop, id, path: imported(shop, path, "Lamp,1,3"), 3),
    "import to nothing": (lambda shop, id, path: imported(shop, path, "Lamp,29.90,0"), 0),
}
# And what is no fall, though some of it ends at the threshold or below.
REST: dict[str, Way] = {
    "adjust above": lambda shop, id, _: shop.call("PATCH", f"/products/{id}/stock?quantity=-2"),
    "adjust up": lambda shop, id, _: shop.call("PATCH", f"/products/{id}/stock?quantity=2"),
    "move too much": lambda shop, id, _: shop.move(id, -7),
    "count right": lambda shop, id, _: shop.count(id, 6),
    "put the same": lambda shop, id, _: shop.change(id, "PUT", stock=6, price="2"),
    "a threshold": lambda shop, id, _: shop.change(id, low_stock_threshold=9),
    "a threshold beside a stock that stays": (
        lambda shop, id, _: shop.change(id, low_stock_threshold=9, stock=6)
    ),
    "a threshold beside a stock that stays above": (
        lambda shop, id, _: shop.change(id, low_stock_threshold=1, stock=2)
    ),
    "no threshold beside a fall": (
        lambda shop, id, _: shop.change(id, low_stock_threshold=None, stock=2)
    ),
    "a threshold that it was at before": (
        lambda shop, id, _: shop.change(id, low_stock_threshold=6, stock=2)
    ),
    "batch that comes to nothing": lambda shop, id, _: shop.batch((id, -6), (id, 6)),
    "batch that ends above": lambda shop, id, _: shop.batch((id, -6), (id, 4)),
    "batch that is refused": lambda shop, id, _: shop.batch((id, -4), (10**9, 1)),
    "import above": lambda shop, id, path: imported(shop, path, "Lamp,1,4"),
    "import of another field": lambda shop, id, path: imported(shop, path, "Lamp,1,"),
    "opening": lambda shop, id, _: shop.post(
        "/products/", {"name": "New", "price": 1, "stock": 2, "low_stock_threshold": 3}
    ),
}


@pytest.fixture
def lamp(shop: Shop) -> int:
    """Six pieces, three are few."""
    return shop.product(name="Lamp", stock=6, low_stock_threshold=3)


@pytest.mark.parametrize("way", DOWN)
def test_a_fall_is_told_once_on_every_path(
    shop: Shop, lamp: int, said: Callable[[], list[Said]], tmp_path: Path, way: str
) -> None:
    act, left = DOWN[way]
    said()
    answer = act(shop, lamp, tmp_path)
    assert answer is None or answer.status_code in (200, 201)
    assert said() == [(lamp, left, 3)]
    shop.move(lamp, -left)
    assert said() == []
    shop.move(lamp, 4)
    assert said() == []
    shop.move(lamp, -1)
    assert said() == [(lamp, 3, 3)]


@pytest.mark.parametrize("way", REST)
def test_whatever_is_no_fall_is_not_told(
    shop: Shop, lamp: int, said: Callable[[], list[Said]], tmp_path: Path, way: str
) -> None:
    said()
    answer = REST[way](shop, lamp, tmp_path)
    assert answer is None or answer.status_code in (200, 201, 400)
    assert said() == []


def test_a_stock_that_is_set_is_judged_by_the_threshold_set_with_it(
    shop: Shop, lamp: int, said: Callable[[], list[Said]]
) -> None:
    said()
    shop.change(lamp, stock=5, low_stock_threshold=5)
    assert said() == [(lamp, 5, 5)]


def test_each_product_of_a_batch_is_told_of_by_itself(
    shop: Shop, lamp: int, said: Callable[[], list[Said]]
) -> None:
    sofa = shop.product(stock=9, low_stock_threshold=8)
    bed = shop.product(stock=9)
    said()
    shop.batch((sofa, -1), (lamp, -2), (bed, -9), (lamp, -3), (sofa, -1))
    assert sorted(said()) == sorted([(sofa, 7, 8), (lamp, 1, 3)])


def test_a_batch_tells_its_movements_in_the_order_of_its_lines(shop: Shop, lamp: int) -> None:
    sofa = shop.product(stock=9)
    shop.events()
    found = document(shop.batch((sofa, -1), (lamp, -6), (lamp, 2), (sofa, 4)), 201)["movements"]
    *told, low = shop.events()
    assert low == ("stock.low", {"product_id": lamp, "stock": 2, "threshold": 3})
    same = ("product_id", "quantity", "balance_after", "kind", "reason", "reference")
    for (type, data), movement in zip(told, found, strict=True):
        wanted = {name: movement[name] for name in same}
        assert (type, data) == ("stock.adjusted", {"movement_id": movement["id"], **wanted})


class Watcher(Clerk):
    """A clerk whose products have thresholds; `falls` is what should be told."""

    def __init__(self, shop: Shop, path: Path) -> None:
        super().__init__(shop)
        self.path = path
        self.thresholds: dict[int, int | None] = dict.fromkeys(self.stocks)
        self.falls: list[Said] = []

    def act(self) -> int:
        before = {**self.stocks}
        match self.chance.randrange(10):
            case 0 | 1:
                status = self._set_some_threshold()
            case 2:
                status = self._import_some()
            case _:
                status = super().act()
        self.falls += [
            (id, stock, few)
            for id, stock in self.stocks.items()
            if (few := self.thresholds[id]) is not None and stock <= few < before[id]
        ]
        return status

    def _set_some_threshold(self) -> int:
        """Another threshold, perhaps with another stock beside it."""
        id, few = self.chance.choice([*self.stocks]), self.chance.choice([None, 0, 3, 5, 8])
        changes: dict[str, Any] = {"low_stock_threshold": few}
        if self.chance.random() < 0.5:
            changes["stock"] = self.stocks[id] = self.chance.randint(0, 12)
        self.thresholds[id] = few
        return self.shop.change(id, **changes).status_code

    def _import_some(self) -> int:
        """Other stocks for some products, some of them the same as before."""
        ids = self.chance.sample([*self.stocks], 2)
        rows = []
        for id in ids:
            self.stocks[id] = self.chance.randint(0, 12)
            rows.append(f"{self.shop.get(f'/products/{id}')['name']},1,{self.stocks[id]}")
        return self.shop.import_(self.path, "\n".join(rows), "--update").exit_code


def test_after_hundreds_of_changes_what_was_told_are_the_falls(
    shop: Shop, said: Callable[[], list[Said]], tmp_path: Path
) -> None:
    watcher = Watcher(shop, tmp_path / "products.csv")
    said()
    for _ in range(300):
        watcher.act()
    assert sorted(said()) == sorted(watcher.falls)
    assert len(watcher.falls) > 20


@pytest.fixture
def few(shop: Shop) -> dict[str, int]:
    """Products by name, half of them low."""
    made = {"a": (5, 5, 9), "b": (6, 5, 8), "c": (0, 0, 7), "d": (0, None, 6), "e": (2, 9, 5)}
    return {
        name: shop.product(name=name, stock=stock, low_stock_threshold=few, price=price)
        for name, (stock, few, price) in made.items()
    }


def test_what_is_low_is_listed_with_its_threshold(shop: Shop, few: dict[str, int]) -> None:
    page = shop.get(LOW)
    assert [item["name"] for item in page["items"]] == ["a", "c", "e"]
    assert [item["low_stock_threshold"] for item in page["items"]] == [5, 0, 9]
    assert (page["total"], page["next_cursor"]) == (3, None)
    for item in page["items"]:
        assert item == shop.get(f"/products/{item['id']}")


def test_what_is_low_is_paged_and_sorted_as_products_are(shop: Shop, few: dict[str, int]) -> None:
    def names(**query: Any) -> list[str]:
        return [item["name"] for item in shop.get(LOW, **query)["items"]]

    assert names(sort="price") == ["e", "c", "a"]
    assert names(sort="-stock,id") == ["a", "e", "c"]
    assert names(sort="-name", skip=1, limit=1) == ["c"]
    first = shop.get(LOW, limit=2)
    assert names(limit=2, cursor=first["next_cursor"]) == ["e"]
    shop.call("DELETE", f"/products/{few['c']}")
    assert names() == ["a", "c", "e"]
    assert names(active_only="true") == ["a", "e"]
    assert shop.ask(LOW, sort="threshold").status_code == 422
    assert shop.ask(LOW, price_min=1).status_code == 422


@pytest.fixture
def plan(app: App, shop: Shop) -> Iterator[str]:
    """How the list is read where few of many products have a threshold."""
    shop.run(
        "INSERT INTO products (name, price, stock, low_stock_threshold)"
        " SELECT n, 1, n % 7, CASE WHEN n % 50 = 0 THEN 3 END FROM generate_series(1, 5000) AS n"
    )
    shop.run("ANALYZE products")
    with app.app_context():
        question = "SELECT * FROM products WHERE stock <= low_stock_threshold ORDER BY id LIMIT 101"
        yield "\n".join(db.session.scalars(text(f"EXPLAIN {question}")))


def test_what_is_low_stands_on_an_index(plan: str) -> None:
    assert "ix_products_watched" in plan


# A column in the predicate counts too: each such index has to be written with every sale.
WRITTEN = """
SELECT DISTINCT index.relname, attname::text FROM pg_depend
JOIN pg_class AS index ON index.oid = objid AND index.relkind = 'i'
JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
WHERE refobjid = 'products'::regclass ORDER BY 2
"""


def test_no_index_knows_what_a_sale_changes(shop: Shop) -> None:
    known = {column for _, column in shop.run(WRITTEN)}
    assert known >= {"id", "name", "price", "low_stock_threshold"}
    assert not known & {"stock", "updated_at", "version"}
