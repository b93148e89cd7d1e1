"""Somebody signed in who holds stock, and sells it."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from project.http.app import App
from tests.answers import document
from tests.products.stock.conftest import Shop

HOLDS = "/stock/reservations/"

Line = tuple[int, int]


class Counter(Shop):
    """A shop that keeps things for people."""

    def hold(self, *lines: Line, **values: Any) -> TestResponse:
        """A reservation of (product, quantity)."""
        rows = [{"product_id": id, "quantity": quantity} for id, quantity in lines]
        return self.post(HOLDS, {"lines": rows, **values})

    def held(self, *lines: Line, **values: Any) -> int:
        """The id of a reservation that was possible."""
        return int(document(self.hold(*lines, **values), 201)["id"])

    def then(self, id: int, verb: str, body: Any = None) -> TestResponse:
        """Commit, release or extend it."""
        return self.post(f"{HOLDS}{id}/{verb}", body)

    def found(self, id: int) -> dict[str, Any]:
        return self.get(f"{HOLDS}{id}")

    def available(self, id: int) -> tuple[int, int]:
        """Stock of a product, and what of it is available."""
        found = self.get(f"/products/{id}")
        return found["stock"], found["available"]

    def pass_time(self, id: int) -> None:
        """The time of a reservation is over, and nobody did anything."""
        late = "clock_timestamp() - interval '1 millisecond'"
        self.run(f"UPDATE reservations SET expires_at = {late} WHERE id = :id", id=id)
        ended = "(SELECT expires_at FROM reservations WHERE id = :id)"
        self.run(f"UPDATE stock_holds SET until = {ended} WHERE reservation_id = :id", id=id)
        self.run(
            "UPDATE products SET held_until ="
            " (SELECT max(until) FROM stock_holds WHERE product_id = products.id)"
        )


@pytest.fixture
def shop(app: App, isolated: None) -> Counter:
    """Ada's."""
    return Counter(app, "ada")
