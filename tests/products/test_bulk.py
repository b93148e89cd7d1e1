"""A file becomes products: which rows are good, which are refused, and in what words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import func, select

from project.db import db, transaction
from project.errors import Invalid
from project.products import bulk
from project.products.models import Product
from project.products.schemas import validate_row
from project.sheets import Malformed
from tests.products.make import make_product

pytestmark = pytest.mark.usefixtures("context")

LAMP_NFC, LAMP_NFD = "Pi\u00f1ata lamp", "Pin\u0303ata lamp"


class Rules:
    """Others than those of a product; no cell is plain to them."""

    plain = dict.fromkeys(bulk.FIELDS, "(?!)")

    def __init__(self, judge: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
        self.judge = judge

    def __call__(self, document: Mapping[str, Any]) -> dict[str, Any]:
        return self.judge(document)


def load(content: str | bytes, *, update: bool = False) -> bulk.Loaded:
    return bulk.load(sheet(content), validate_row, update=update)


def sheet(content: str | bytes, **columns: str) -> bulk.Sheet:
    return bulk.Sheet(BytesIO(content.encode() if isinstance(content, str) else content), columns)


def refused(content: str) -> list[tuple[Any, ...]]:
    load(content)
    return [tuple(refusal) for refusal in bulk.refusals()]


def stored() -> list[tuple[str, str]]:
    found = db.session.execute(select(Product.name, Product.price).order_by(Product.id))
    return [(name, str(price)) for name, price in found]


def taken(line: int, name: str) -> tuple[int, str, str, str]:
    return (line, "name", "duplicate_name", f"Product with name '{name}' already exists")


def test_every_field_of_a_row_is_taken_over() -> None:
    loaded = load(
        "stock,name,price,is_active,description\n"
        '7, Desk lamp ,29.9,false,"Brass, ""old"",\nwith \\N and\ttab"\n'
    )
    assert loaded == bulk.Loaded(new=1, changed=0, unchanged=0, refused=0)
    [lamp] = db.session.scalars(select(Product))
    assert (lamp.name, lamp.price, lamp.stock, lamp.is_active, lamp.version) == (
        "Desk lamp",
        Decimal("29.90"),
        7,
        False,
        1,
    )
    assert lamp.description == 'Brass, "old",\nwith \\N and\ttab'


def test_an_empty_cell_means_null_or_the_default() -> None:
    load("name,price,description,stock,is_active\nLamp,1,,,\n")
    [lamp] = db.session.scalars(select(Product))
    assert (lamp.description, lamp.stock, lamp.is_active) == (None, 0, True)


def test_products_are_numbered_in_the_order_of_the_file() -> None:
    load("name,price\n" + "".join(f"Lamp {n % 7} {n},1\n" for n in range(2_500)))
    assert [name for name, _ in stored()] == [f"Lamp {n % 7} {n}" for n in range(2_500)]


def test_every_reason_to_refuse_a_row_is_told() -> None:
    assert refused("name,price,stock\n,0,-1\nLamp,1,1\n") == [
        (2, "name", "blank", "Must not be blank."),
        (2, "price", "out_of_range", "Must be between 0.01 and 99999999.99."),
        (2, "stock", "out_of_range", "Must be between 0 and 2147483647."),
    ]
    assert stored() == [("Lamp", "1.00")]


def test_a_row_refused_for_three_reasons_counts_once() -> None:
    assert load("name,price,stock\n,0,-1\n,1,1\nLamp,1,1\n") == bulk.Loaded(1, 0, 0, 2)


def test_the_first_good_row_of_a_name_has_it() -> None:
    content = "name,price\nLamp,0\n  Lamp,2\nLamp ,3\nlamp,4\nLamp,5\n"
    assert refused(content) == [
        (2, "price", "out_of_range", "Must be between 0.01 and 99999999.99."),
        taken(4, "Lamp"),
        taken(6, "Lamp"),
    ]
    assert stored() == [("Lamp", "2.00"), ("lamp", "4.00")]


def test_the_two_spellings_of_an_accent_are_one_name() -> None:
    assert refused(f"name,price\n{LAMP_NFD},1\n{LAMP_NFC},2\n") == [taken(3, LAMP_NFC)]
    assert stored() == [(LAMP_NFC, "1.00")]


@pytest.mark.parametrize("is_active", [True, False])
def test_a_name_in_the_catalogue_is_taken_also_by_an_inactive_product(is_active: bool) -> None:
    make_product(name=LAMP_NFC, is_active=is_active)
    assert refused(f"name,price\nDesk,1\n {LAMP_NFD} ,2\n") == [taken(3, LAMP_NFC)]
    assert stored() == [(LAMP_NFC, "29.90"), ("Desk", "1.00")]


def test_a_name_that_looks_like_the_rule_s_own_words_is_quoted_as_it_is() -> None:
    name = "100% {name} \\1 'x' :rows %(a)s"
    assert refused(f"name,price\n{name},1\n{name},2\n") == [taken(3, name)]


def test_a_row_that_does_not_fit_the_header_is_refused() -> None:
    content = "name,price,stock\nLamp,1\nDesk,1,2,3\nBed,1,2\n"
    assert refused(content) == [
        (2, "", "cells", "The row has 2 cells, the header 3."),
        (3, "", "cells", "The row has 4 cells, the header 3."),
    ]
    assert stored() == [("Bed", "1.00")]


def test_lines_are_counted_as_an_editor_shows_them() -> None:
    content = '\nname,price\r\n"two\nlines",1\n\n   \n,1\n"three\n\nlines",0\nLamp,-1\n'
    assert [line for line, *_ in refused(content)] == [7, 8, 11]
    assert stored() == [("two\nlines", "1.00")]


def test_columns_are_found_by_the_names_given() -> None:
    found = sheet("price,Name,Price\nnonsense,Lamp,2\n", name="Name", price="Price")
    assert found.ignored == ["price"]
    assert bulk.load(found, validate_row).new == 1
    assert stored() == [("Lamp", "2.00")]


def test_blanks_around_names_and_ways_to_write_a_letter_make_no_other_column() -> None:
    found = sheet(" Pre\u0301cis , price\nLamp,1\n", name="Pr\u00e9cis ")
    assert bulk.load(found, validate_row).new == 1


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    assert load(b"\xef\xbb\xbfname,price\nLamp,1\n").new == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file is empty."),
        (b"\xef\xbb\xbf\n \n", "The file is empty."),
        (b"Name,price\n", "There is no column 'name'; the header has 'Name', 'price'."),
        (b"\n" * 1_000_001, "The row that reaches line 1000001 is longer than 1,000,000 bytes."),
        (b"name, prices\n", "There is no column 'price'; the header has 'name', 'prices'."),
        (b"name,price,name\n", "The header has more than one column 'name'."),
        (b"name,price\nLamp,1\nB\xe4r,1\n", "Line 3 is not valid UTF-8."),
        (b"name,price\nLamp,1\nB\x00r,1\n", "Line 3 holds a NUL: this is not a text file."),
        (
            b'name,price\nLamp,1\n"Bar,1\nBaz,2\n',
            "The row of line 3 is not CSV: unexpected end of data.",
        ),
        (
            b'name,price\n"a\nb",1\n' + b"x" * 200_000 + b",1\n",
            "The row of line 4 is not CSV: field larger than field limit (131072).",
        ),
        (
            b"name,price\n" + b"x" * 1_000_001,
            "The row that reaches line 2 is longer than 1,000,000 bytes.",
        ),
        (
            b"name,price\n" + b'"a\n",' * 300_000,
            "The row that reaches line 200002 is longer than 1,000,000 bytes.",
        ),
    ],
)
def test_what_is_no_file_of_products_is_refused_in_one_sentence(
    content: bytes, sentence: str
) -> None:
    with pytest.raises(Malformed) as refusal, transaction():
        load(content)
    assert refusal.value.sentence == sentence
    assert stored() == []


def test_a_column_named_expressly_must_be_there() -> None:
    with pytest.raises(Malformed, match="There is no column 'Stock'; the header has 'name'"):
        sheet("name,price\n", stock="Stock")


def test_updating_writes_the_columns_of_the_file_and_no_others() -> None:
    old = make_product(name="Lamp", description="Brass", stock=5, is_active=False)
    assert load("name,price\n Lamp ,1.5\nDesk,2\n", update=True) == bulk.Loaded(1, 1, 0, 0)
    db.session.refresh(old)
    assert (old.price, old.description, old.stock) == (Decimal("1.50"), "Brass", 5)
    assert (old.is_active, old.version) == (False, 2)


def test_updating_leaves_alone_what_a_cell_does_not_give() -> None:
    old = make_product(name="Lamp", description="Brass", stock=5, is_active=False)
    load("name,price,description,stock,is_active\nLamp,3,,,\n", update=True)
    db.session.refresh(old)
    assert (old.description, old.stock, old.is_active) == (None, 5, False)


@pytest.mark.parametrize(
    ("row", "version"),
    [
        ("Lamp,29.9,,0,true", 1),
        ("Lamp,29.90,,,", 1),
        ("Lamp,29.91,,,", 2),
        ("Lamp,29.9,Brass,,", 2),
        ("Lamp,29.9,,1,", 2),
        ("Lamp,29.9,,,false", 2),
    ],
)
def test_only_a_difference_counts_the_version(row: str, version: int) -> None:
    old = make_product(name="Lamp")
    loaded = load(f"name,price,description,stock,is_active\n{row}\n", update=True)
    assert loaded == bulk.Loaded(0, version - 1, 2 - version, 0)
    db.session.refresh(old)
    assert old.version == version


def test_updating_refuses_the_second_row_of_a_name_all_the_same() -> None:
    old = make_product(name="Lamp")
    assert load("name,price\nLamp,1\nLamp,2\n", update=True) == bulk.Loaded(0, 1, 0, 1)
    assert [tuple(refusal) for refusal in bulk.refusals()] == [taken(3, "Lamp")]
    db.session.refresh(old)
    assert old.price == 1


def test_the_number_of_statements_does_not_grow_with_the_rows(statements: list[str]) -> None:
    load("name,price\n" + "".join(f"Lamp {n},1\n" for n in range(5)), update=True)
    few = len(statements)
    load("name,price\n" + "".join(f"Desk {n},1\n" for n in range(900)), update=True)
    assert len(statements) == 2 * few


def test_refusals_are_read_in_the_order_of_the_file() -> None:
    found = refused("name,price\n" + "Lamp,1\n" + "Lamp,2\n,1\n" * 1_500)
    assert [line for line, *_ in found] == list(range(3, 3_003))


def test_a_bug_in_the_rules_stops_the_import() -> None:
    def broken(document: Mapping[str, Any]) -> dict[str, Any]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), transaction():
        bulk.load(sheet("name,price\nLamp,1\n"), Rules(broken))


def test_any_rules_will_do() -> None:
    def choosy(document: Mapping[str, Any]) -> dict[str, Any]:
        if document["name"] == "Bed":
            raise Invalid([{"in": "row", "field": "name", "code": "bed", "message": "No beds."}])
        return dict(document)

    bulk.load(sheet("name,price\nBed,1\nLamp,1\n"), Rules(choosy))
    assert [tuple(refusal) for refusal in bulk.refusals()] == [(2, "name", "bed", "No beds.")]
    assert db.session.scalar(select(func.count()).select_from(Product)) == 1
