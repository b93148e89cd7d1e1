"""An item of which there are some, and somebody who takes from it under a key, of each kind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPException
from itertools import count
from typing import Any

import psycopg2

from tests.server import Server

TAKEN = {"quantity": -1, "reason": "tried"}
Answer = tuple[int, bytes, Any]
names = count(1)


class Shelf:
    """An item of its own of which there are some, and somebody who takes from it."""

    room, amount, take_at = "samples", "amount", "takings"

    def __init__(self, server: Server, headers: dict[str, str], stored: int = 100) -> None:
        self.server, self.headers, self.stored = server, headers, stored
        item = {"name": f"Item {next(names)}", "price": "1", self.amount: stored}
        status, made, _ = server.call("POST", f"/api/v1/{self.room}/", item, headers)
        assert status == 201
        self.id, self.address = made["id"], f"/api/v1/{self.room}/{made['id']}"
        self.taking = f"{self.address}/{self.take_at}"
        url = server.environment["DATABASE_URL"]
        self.plain = url.replace("postgresql+psycopg2", "postgresql")

    def take(self, key: str) -> Answer:
        named = {**self.headers, "Idempotency-Key": key}
        return self.server.send("POST", self.taking, TAKEN, named)

    def attempt(self, key: str) -> Answer | None:
        """The answer, unless the connection is lost."""
        try:
            return self.take(key)
        except (OSError, HTTPException):
            return None

    def insist(self, key: str) -> Answer:
        """Send it until it is answered, as a client does that was cut off."""
        deadline = time.monotonic() + 60
        while (answer := self.attempt(key)) is None or answer[0] in (409, 503):
            assert time.monotonic() < deadline, f"{key} is stuck: {answer}"
            time.sleep(0.01)
        return answer

    def taken(self) -> int:
        """How many were taken."""
        return int(self.stored - self.server.call("GET", self.address)[1][self.amount])

    def ask(self, question: str) -> int:
        with closing(psycopg2.connect(self.plain)) as connection, connection.cursor() as hand:
            hand.execute(question, [self.id] if "%s" in question else [])
            [value] = hand.fetchone() or [0]
        return int(value)

    @contextmanager
    def held(self) -> Iterator[Callable[[], None]]:
        """Somebody else holds the item meanwhile; wait until another wants it."""
        with closing(psycopg2.connect(self.plain)) as connection, connection.cursor() as hand:
            hand.execute(f"SELECT FROM {self.room} WHERE id = %s FOR UPDATE", [self.id])
            blocked = "SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY"
            blocked += " (pg_blocking_pids(pid))"

            def wait() -> None:
                hand.execute(blocked)
                while not hand.rowcount:
                    time.sleep(0.005)
                    hand.execute("SELECT pg_stat_clear_snapshot()")  # who has come since?
                    hand.execute(blocked)

            yield wait


class ProductShelf(Shelf):
    """The same of a product: its guard, its stock and its ledger are one statement."""

    room, amount, take_at = "products", "stock", "stock/movements/"

    def taken(self) -> int:
        """By the stock and by the ledger alike."""
        movements = self.ask("SELECT count(*) - 1 FROM stock_movements WHERE product_id = %s")
        assert movements == super().taken()
        return movements


SHELVES: list[type[Shelf]] = [Shelf, ProductShelf]
