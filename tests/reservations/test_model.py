"""Hundreds of things done at random, each of them foretold by a model."""

from __future__ import annotations

import random
from collections import Counter as Counts
from dataclasses import dataclass, field

from tests.products.stock.books import FAULTS
from tests.reservations.conftest import Counter, Line


@dataclass
class Model:
    """What there should be: stocks by product, and reservations by id."""

    shop: Counter
    stocks: dict[int, int]
    lines: dict[int, list[Line]] = field(default_factory=dict)
    statuses: dict[int, str] = field(default_factory=dict)
    chance: random.Random = field(default_factory=lambda: random.Random(11))

    def held(self, id: int) -> int:
        return sum(
            quantity
            for key, status in self.statuses.items()
            if status == "open"
            for product, quantity in self.lines[key]
            if product == id
        )

    def fits(self, lines: list[Line], *, reserved: bool = False) -> bool:
        """Whether these lines, summed by product, can be taken by whoever has or has not them."""
        sums: Counts[int] = Counts()
        for id, quantity in lines:
            sums[id] += quantity
        return all(
            total <= self.stocks[id] - (self.held(id) if total > 0 and not reserved else 0)
            for id, total in sums.items()
        )

    def take(self, lines: list[Line]) -> None:
        for id, quantity in lines:
            self.stocks[id] -= quantity

    def act(self) -> int:
        """Do something; the status, which was foretold."""
        ids = self.chance.choices([*self.stocks], k=self.chance.randint(1, 3))
        lines = [(id, self.chance.randint(1, 4)) for id in ids]
        some = self.chance.choice([*self.statuses, 0])
        match self.chance.randrange(8):
            case 0 | 1:
                return self._hold(lines)
            case 2:
                return self._sell([(id, self.chance.choice([n, n, -n])) for id, n in lines])
            case 3:
                return self._count(ids[0], self.chance.randint(4, 14))
            case 4 if some:
                return self._commit(some)
            case 5 if some:
                return self._release(some)
            case 6 if some:
                return self._extend(some)
            case 7 if some and self.statuses[some] == "open":
                self.shop.pass_time(some)
                self.statuses[some] = "expired"
        return 0

    def _hold(self, lines: list[Line]) -> int:
        answer = self.shop.hold(*lines)
        assert answer.status_code == (201 if self.fits(lines) else 400), answer.text
        if answer.status_code == 201:
            id = (answer.json or {})["id"]
            self.lines[id], self.statuses[id] = lines, "open"
        return answer.status_code

    def _sell(self, lines: list[Line]) -> int:
        """By itself or as a batch."""
        [(id, n), *rest] = lines
        if rest:
            answer = self.shop.batch(*((id, -quantity) for id, quantity in lines))
        else:
            answer = self.shop.move(id, -n)
        assert answer.status_code == (201 if self.fits(lines) else 400), answer.text
        if answer.status_code == 201:
            self.take(lines)
        return answer.status_code

    def _count(self, id: int, counted: int) -> int:
        self.stocks[id] = counted
        return self.shop.count(id, counted).status_code

    def _commit(self, id: int) -> int:
        is_open = self.statuses[id] == "open"
        possible = self.fits(self.lines[id], reserved=True)
        answer = self.shop.then(id, "commit")
        assert answer.status_code == (409 if not is_open else 200 if possible else 400)
        if answer.status_code == 200:
            self.statuses[id] = "committed"
            self.take(self.lines[id])
        return answer.status_code

    def _release(self, id: int) -> int:
        possible = self.statuses[id] in ("open", "released")
        answer = self.shop.then(id, "release")
        assert answer.status_code == (200 if possible else 409)
        if possible:
            self.statuses[id] = "released"
        return answer.status_code

    def _extend(self, id: int) -> int:
        answer = self.shop.then(id, "extend", {"ttl_seconds": self.chance.randint(60, 900)})
        assert answer.status_code == (200 if self.statuses[id] == "open" else 409)
        return answer.status_code


def test_after_hundreds_of_changes_all_is_as_foretold(shop: Counter) -> None:
    model = Model(shop, {shop.product(stock=stock): stock for stock in (4, 8, 12)})
    seen: Counts[int] = Counts()
    for _ in range(250):
        seen[model.act()] += 1
        wanted = {id: (stock, stock - model.held(id)) for id, stock in model.stocks.items()}
        found = {item["id"]: item for item in shop.get("/products/")["items"]}
        assert {id: (it["stock"], it["available"]) for id, it in found.items()} == wanted
    assert min(seen[status] for status in (200, 201, 400, 409)) > 15
    assert {id: shop.found(id)["status"] for id in model.statuses} == model.statuses
    assert Counts(model.statuses.values()).keys() == {"open", "expired", "released", "committed"}
    assert shop.run(FAULTS) == []
