"""People who read and write at a database that is migrated meanwhile, by SQL that every revision
from the ledger on understands.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from psycopg2.errors import DeadlockDetected, LockNotAvailable, QueryCanceled

from tests.backup.terminal import Terminal

HANDS = 4
THEIRS = 50  # products that are changed; the others are not
AGAIN = (DeadlockDetected, LockNotAvailable, QueryCanceled)  # what the API answers 503
STOCK = """
INSERT INTO products (name, price, description, stock)
SELECT 'Product ' || n, 1 + n % 90, nullif('Of ' || n % 7, 'Of 0'), 1000
FROM generate_series(1, {rows}) AS n;
INSERT INTO stock_movements
    (product_id, quantity, balance_after, kind, request_id, created_at)
SELECT id, stock, stock, 'opening', 'some-request', created_at FROM products;
INSERT INTO users (email, username, hashed_password)
SELECT n || '@example.org', 'user' || n, '' FROM generate_series(1, {rows} / 10) AS n;
"""
SELL = """
WITH sold AS (
    UPDATE products SET stock = stock - 1, version = version + 1 WHERE id = %(id)s
    RETURNING id, stock
)
INSERT INTO stock_movements
    (product_id, quantity, balance_after, kind, request_id, created_at)
SELECT id, -1, stock, 'adjustment', 'some-request', clock_timestamp() FROM sold
"""
CALLS = (
    SELL,
    "UPDATE products SET price = price + 0.01 WHERE id = %(id)s",
    "INSERT INTO products (name, price) VALUES ('New ' || %(name)s, 1)",
    "UPDATE users SET full_name = %(name)s WHERE id = %(id)s",
    "SELECT id, name, price, stock FROM products WHERE id > %(id)s ORDER BY id LIMIT 100",
)
OTHERS = f"""
SELECT md5(string_agg(
    concat_ws('|', id, name, description, price, stock, version), ',' ORDER BY id
)) FROM products WHERE id > {THEIRS} AND name LIKE 'Product %'
"""
WRONG = """
SELECT count(*) FROM products LEFT JOIN (
    SELECT product_id, sum(quantity) AS total FROM stock_movements GROUP BY product_id
) AS told ON product_id = id WHERE stock <> coalesce(total, 0)
"""


@dataclass
class Traffic:
    """What was done, how often it had to be done again, and how long anybody waited (seconds)."""

    done: int = 0
    again: int = 0
    longest: float = 0.0
    stop: Event = field(default_factory=Event)

    def go(self, terminal: Terminal, hand: int) -> None:
        with terminal.connected() as connection, connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'; SET statement_timeout = '5s'")
            connection.commit()
            turn = 0
            while not self.stop.is_set():
                turn += 1
                asked: dict[str, Any] = {"id": 1 + (turn * 7 + hand) % THEIRS}
                asked["name"] = f"{hand}-{turn}"
                began = time.monotonic()
                try:
                    with connection:
                        cursor.execute(CALLS[turn % len(CALLS)], asked)
                    self.done += 1
                except AGAIN:
                    self.again += 1
                self.longest = max(self.longest, time.monotonic() - began)
                self.stop.wait(0.005)


@contextmanager
def passing(terminal: Terminal) -> Iterator[Traffic]:
    """Traffic for the time of a block, in which nobody may meet anything but a lock."""
    traffic = Traffic()
    with ThreadPoolExecutor(HANDS) as pool:
        hands: list[Future[None]] = [pool.submit(traffic.go, terminal, n) for n in range(HANDS)]
        try:
            yield traffic
        finally:
            traffic.stop.set()
        for each in hands:
            each.result()


def fill(terminal: Terminal, rows: int) -> None:
    """So many products with a ledger, and a tenth as many users."""
    terminal.sql(STOCK.format(rows=rows))
