"""What was done at random adds up, and what does not add up is noticed."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from werkzeug.test import TestResponse

from tests.products.stock.books import FAULTS
from tests.products.stock.conftest import Shop


def test_the_books_themselves_can_be_wrong(shop: Shop) -> None:
    """The control: were stock changed behind the ledger's back, the tests would see it."""
    one, two, three, _ = (shop.product(stock=5) for _ in range(4))
    assert shop.run(FAULTS) == []
    shop.run("UPDATE products SET stock = 4 WHERE id = :id", id=one)
    insert = "INSERT INTO stock_movements (product_id, quantity, balance_after, kind, request_id,"
    insert += " created_at) VALUES (:id, :n, :left, :kind, 'x', now() + :later)"
    shop.run(insert, id=two, n=1, left=7, kind="count", later="-1 day")
    shop.run(insert, id=two, n=-1, left=5, kind="count", later="-1 day")
    shop.run(insert, id=three, n=1, left=6, kind="opening", later="1 day")
    shop.run("UPDATE products SET stock = 6 WHERE id = :id", id=three)
    found = {(id, fault.rstrip("0123456789")) for id, fault in shop.run(FAULTS)}
    assert found == {
        (one, "stock"),
        (two, "balance of "),
        (two, "instant of "),
        (three, "two openings"),
        (three, "updated before its last movement"),
    }


class Clerk:
    """Does something at random, and knows beforehand what comes of it."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.chance = shop, random.Random(7)
        self.stocks = {shop.product(stock=stock): stock for stock in (0, 4, 8, 12)}
        self.open: dict[int, tuple[int, int]] = {}  # not reversed yet: product and quantity

    def act(self) -> int:
        """Change some product; the status, which was expected like the stock after it."""
        id = self.chance.choice([*self.stocks])
        answer, difference, good = self._some_change(id)
        fits = self.stocks[id] + difference >= 0
        assert answer.status_code == (good if fits else 400), answer.text
        self.stocks[id] += difference * fits
        told = answer.json or {}
        for line in told.get("movements", [told]) if answer.status_code == 201 else []:
            self.open[line["id"]] = line["product_id"], line["quantity"]
            self.open.pop(line["reverses_id"], None)
        return answer.status_code

    def _some_change(self, id: int) -> tuple[TestResponse, int, int]:
        """The answer, the difference it should make, and its status if that is possible."""
        shop, left, n = self.shop, self.stocks[id], self.chance.randint(1, 12)
        down = self.chance.choice([n, -n])
        mine = [(key, moved) for key, (product, moved) in self.open.items() if product == id]
        match self.chance.randrange(7 if mine else 6):
            case 0:
                return shop.move(id, down), down, 201
            case 1:
                return shop.call("PATCH", f"/products/{id}/stock?quantity={down}"), down, 200
            case 2:
                return shop.change(id, "PUT", stock=n), n - left, 200
            case 3:
                return shop.change(id, stock=n), n - left, 200
            case 4:
                return shop.count(id, n), n - left, 200 if n == left else 201
            case 5:
                return shop.batch((id, down), (id, 2)), down + 2, 201
        key, moved = self.chance.choice(mine)
        return shop.post(f"/stock/movements/{key}/reverse"), -moved, 201


def test_after_hundreds_of_changes_the_books_add_up(shop: Shop, tmp_path: Path) -> None:
    clerk = Clerk(shop)
    [name] = shop.run("SELECT name FROM products WHERE id = :id", id=min(clerk.stocks))[0]
    seen: Counter[int] = Counter()
    for turn in range(1, 4):
        seen.update(clerk.act() for _ in range(100))
        row = f"{name},1,{turn}\nNew {turn},1,{turn}"
        assert shop.import_(tmp_path / "products.csv", row, "--update").exit_code == 0
        clerk.stocks[min(clerk.stocks)] = turn
    assert min(seen[status] for status in (200, 201, 400)) > 20
    assert {id: shop.state(id)[0] for id in clerk.stocks} == clerk.stocks
    assert shop.run(FAULTS) == []
