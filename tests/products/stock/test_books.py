"""What was done at random adds up, and what does not add up is noticed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.products.stock.books import FAULTS
from tests.products.stock.clerk import Clerk
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
