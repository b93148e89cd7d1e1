"""`flask products import` goes through the ledger like everybody else."""

from __future__ import annotations

from pathlib import Path

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
