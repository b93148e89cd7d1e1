"""A backup among sales: the ledger that is restored adds up."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

from tests.backup.terminal import Terminal, database
from tests.products.stock.store import Store
from tests.server import Server


def test_the_ledger_adds_up_in_a_backup_among_sales(
    server: Server, postgres: str, tmp_path: Path
) -> None:
    store, stop = Store(server), Event()
    ids = [store.product(stock=10_000) for _ in range(20)]
    source = Terminal(server.environment["DATABASE_URL"])
    sold: list[int] = []

    def sell(hand: int) -> None:
        for turn in range(1_000_000):
            if stop.is_set():
                return
            sold.append(store.move(ids[(turn * 7 + hand) % len(ids)], -1))

    hands = [Thread(target=sell, args=[hand]) for hand in range(4)]
    for hand in hands:
        hand.start()
    while len(sold) < 20:
        stop.wait(0.01)
    before = len(sold)
    source.done("backup", tmp_path / "file")
    during = len(sold) - before
    stop.set()
    for hand in hands:
        hand.join()
    assert during > 0
    assert set(sold) == {201}
    with database(postgres) as restored:
        restored.done("restore", tmp_path / "file")
        assert restored.done("stock", "verify").endswith(" movements: 0 differ.\n")
        told = restored.sql("SELECT count(*) FROM stock_movements WHERE quantity = -1")
        assert before <= told <= before + during + len(hands)
        assert restored.sql("SELECT sum(stock) FROM products") == 200_000 - told
        assert restored.sql("SELECT sum(total) FROM product_counts") == len(ids)
