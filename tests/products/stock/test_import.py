"""`flask products import` goes through the ledger like everybody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.products.stock.books import FAULTS, SAYS_NO
from tests.products.stock.conftest import Line, Shop

OPENED: list[Line] = [("opening", 5, 5)]


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    """Where a file can be."""
    return tmp_path / "products.csv"


def test_an_import_opens_what_is_new_and_counts_what_is_not(shop: Shop, sheet: Path) -> None:
    lamp, desk, bed = (shop.product(name=name, stock=5) for name in ("Lamp", "Desk", "Bed"))
    rows = "Lamp,1,9\nDesk,1,5\nBed,1,\nSofa,1,4\nShelf,1,0\nChair,1,"
    result = shop.import_(sheet, rows, "--update")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (
        0,
        "6 rows: 3 new, 3 changed, 0 unchanged, 0 refused.",
    )
    assert shop.lines(lamp) == [*OPENED, ("count", 4, 9)]
    assert shop.lines(desk) == shop.lines(bed) == OPENED
    new = dict(shop.run("SELECT name, id FROM products WHERE name IN ('Sofa', 'Shelf', 'Chair')"))
    assert shop.lines(new["Sofa"]) == [("opening", 4, 4)]
    assert shop.lines(new["Shelf"]) == shop.lines(new["Chair"]) == []
    assert shop.run(FAULTS) == []


@pytest.mark.parametrize(
    ("rows", "options", "code"),
    [
        ("Lamp,1,9\nSofa,1,4", ["--update", "--dry-run"], 0),
        ("Lamp,1,9\nSofa,1,4\nBed,0,1", ["--update"], 1),
        ("Sofa,1,4\nLamp,1,9", [], 1),
    ],
)
def test_an_import_that_is_not_done_tells_nothing(
    shop: Shop, sheet: Path, rows: str, options: list[str], code: int
) -> None:
    lamp = shop.product(name="Lamp", stock=5)
    before = shop.run("SELECT max(id) FROM stock_movements")
    assert shop.import_(sheet, rows, *options).exit_code == code
    assert shop.run("SELECT max(id) FROM stock_movements") == before
    assert shop.state(lamp) == (5, 1)


def test_refused_rows_of_an_import_tell_nothing(shop: Shop, sheet: Path) -> None:
    lamp = shop.product(name="Lamp", stock=5)
    rows = "Lamp,1,9\nSofa,1,4\nBed,0,1\nSofa,1,6"
    assert shop.import_(sheet, rows, "--skip-refused").exit_code == 0
    assert shop.lines(lamp) == OPENED
    told = shop.run("SELECT kind, quantity FROM stock_movements WHERE product_id > :id", id=lamp)
    assert told == [("opening", 4)]


def test_an_import_that_cannot_tell_changes_nothing(shop: Shop, sheet: Path) -> None:
    lamp = shop.product(name="Lamp", stock=5)
    shop.run(SAYS_NO)
    assert shop.import_(sheet, "Lamp,1,9", "--update").exit_code == 1
    assert shop.import_(sheet, "Sofa,1,9", "--update").exit_code == 1
    assert shop.state(lamp) == (5, 1)
    assert shop.run("SELECT count(*) FROM products WHERE name = 'Sofa'") == [(0,)]


def canonical(event: Any) -> str:
    return json.dumps(event, sort_keys=True)


def test_an_import_announces_each_product_that_it_made_or_changed(shop: Shop, sheet: Path) -> None:
    lamp, desk, _ = (shop.product(name=name, stock=5) for name in ("Lamp", "Desk", "Bed"))
    shop.change(lamp, low_stock_threshold=4)
    shop.events()
    rows = "Lamp,1,2\nDesk,1,5\nBed,29.90,5\nSofa,1,4\nRug,0,1"
    assert shop.import_(sheet, rows, "--update", "--skip-refused").exit_code == 0
    told = shop.events()
    [(sofa,)] = shop.run("SELECT id FROM products WHERE name = 'Sofa'")
    same = ("product_id", "quantity", "balance_after", "kind", "reason", "reference")

    def moved(product: int, kind: str) -> dict[str, Any]:
        [line] = shop.get(f"/products/{product}/stock/movements", kind=kind)["items"]
        return {"movement_id": line["id"], **{name: line[name] for name in same}}

    changed = {"fields": ["name", "price", "stock"]}
    wanted = [
        ("product.updated", {"product_id": lamp, "version": 3, **changed}),
        ("product.updated", {"product_id": desk, "version": 2, **changed}),
        ("stock.adjusted", moved(lamp, "count")),
        ("stock.adjusted", moved(sofa, "opening")),
        ("stock.low", {"product_id": lamp, "stock": 2, "threshold": 4}),
        ("product.created", {"product_id": sofa, "name": "Sofa"}),
        ("products.imported", {"new": 1, "changed": 2, "unchanged": 1, "refused": 1}),
    ]
    assert sorted(told, key=canonical) == sorted(wanted, key=canonical)


def test_an_import_says_the_same_of_a_product_as_a_change_does(shop: Shop, sheet: Path) -> None:
    """Member for member, so that who listens need not know which it was."""
    lamp = shop.product(name="Lamp", stock=5, low_stock_threshold=4)
    shop.events()
    shop.change(lamp, name="Lamp", price="1", stock=2)
    by_hand = shop.events()
    shop.change(lamp, stock=5)
    shop.events()
    shop.import_(sheet, "Lamp,2,2", "--update")
    by_file = [event for event in shop.events() if event[0] != "products.imported"]
    shapes = [{type: {*data} for type, data in told} for told in (by_hand, by_file)]
    assert shapes[0] == shapes[1]
    assert len(by_hand) == len(by_file) == 3
