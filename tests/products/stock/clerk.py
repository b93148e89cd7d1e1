"""Somebody who changes stock at random, on every path."""

from __future__ import annotations

import random

from werkzeug.test import TestResponse

from tests.products.stock.conftest import Shop


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
