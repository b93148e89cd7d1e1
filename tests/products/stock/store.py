"""A real server as many hands at once use it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from threading import Barrier
from typing import Any

from tests.products.stock.books import FAULTS
from tests.server import Server

HANDS = 16

numbers = count(1)


class Store:
    """Calls a real server as one user, from as many threads as one likes."""

    def __init__(self, server: Server) -> None:
        self.server, self.headers = server, server.sign_in()

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        status, found, _ = self.server.call(method, f"/api/v1{path}", body, self.headers)
        return status, found

    def product(self, stock: int, **values: Any) -> int:
        made = {"name": f"Product {next(numbers)}", "price": "1", "stock": stock, **values}
        status, found = self.call("POST", "/products/", made)
        assert status == 201, found
        return int(found["id"])

    def stock(self, id: int) -> int:
        return int(self.call("GET", f"/products/{id}/stock")[1]["stock"])

    def adjust(self, id: int, quantity: int) -> int:
        return self.call("PATCH", f"/products/{id}/stock?quantity={quantity}")[0]

    def move(self, id: int, quantity: int) -> int:
        body = {"quantity": quantity, "reason": "sold"}
        return self.call("POST", f"/products/{id}/stock/movements", body)[0]

    def lines(self, id: int) -> list[Any]:
        """The movements of a product, the oldest first."""
        found, cursor = [], ""
        while cursor is not None:
            path = f"/products/{id}/stock/movements?limit=100{cursor}"
            page = self.call("GET", path)[1]
            found += page["items"]
            cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
        return found[::-1]

    def faults(self) -> list[tuple[Any, ...]]:
        """What is wrong with the books of all products."""
        return sorted(self.run(FAULTS))

    def events(self) -> list[tuple[str, Any]]:
        """All that was announced so far."""
        return self.run("SELECT type, data FROM events ORDER BY id")

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a statement."""
        with closing(self.server.connect()) as connection, connection, connection.cursor() as hand:
            hand.execute(statement)
            return hand.fetchall() if hand.description else []

    def bugs(self) -> int:
        """How often something broke so far."""
        return self.server.log.read_text().count('"event": "bug"')


def crowd(calls: Iterable[Callable[[], Any]]) -> list[Any]:
    """What these calls answer, made by sixteen hands that begin at the same moment."""
    start = Barrier(HANDS)
    with ThreadPoolExecutor(HANDS, initializer=start.wait, initargs=(10,)) as pool:
        return list(pool.map(lambda call: call(), calls))
