"""Cells that are taken without asking the schema: those of which it would have said the same."""

from __future__ import annotations

import csv
import random
import re
import unicodedata
from collections.abc import Callable, Mapping
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Any

import marshmallow as ma
import pytest
import sqlalchemy as sa

from project.db import db
from project.errors import Invalid
from project.http.body import Loader
from project.http.fields import Email, Int, Money, Secret, Text, Timestamp, Value
from project.http.fields.text import STABLE
from project.http.schemas import Query, Schema
from project.products import bulk
from project.products.bulk.staging import STAGED, stage
from project.products.schemas import validate_row

ROWS = 40_000
SIGNS = [*"abcXYZ019 .,;'\"\\|%_-+=@\t\r\n\x01\x1f\x7f", "\\N", "\\.", "NULL", "\r\n"]
SIGNS += [*"äßé€\u2019\u2013™żЖйй漢字かがガﾊ한\u1112\u1161\u0301\u0327\u0345\u3099"]
SIGNS += [
    *"\u05b8\u0f73\x85\xa0\u00ad\u2003\u2028\u3000\ufeff\u200b\u212b\u2126\u0387\u037e\ufb01😀"
]
AMOUNTS = ["", "0", "0.00", "0.001", "00.01", "0.01", ".5", "1.", "1.999", "1.990", "99999999.99"]
AMOUNTS += ["100000000", "099999999.99", "-1", "+1", "-0", "1e3", "NaN", "Infinity", "1_0", "٣"]
AMOUNTS += ["1 ", " 1", "1\n", "0x1", "1,5", "1.0.0"]
NUMBERS = [*AMOUNTS, "2147483647", "2147483648", "999999999", "1000000000", "007", "1.0"]
FLAGS = ["true", "false", "", "True", "t", "1", "on", " true", "truefalse", "null"]


class Slow:
    """The same rules, before whom every row is brought."""

    plain = dict.fromkeys(bulk.FIELDS, "(?!)")

    def __call__(self, document: Mapping[str, Any]) -> dict[str, Any]:
        return validate_row(document)


def text(draw: random.Random, longest: int) -> str:
    size = draw.choice([draw.randint(0, 12), draw.randint(longest - 2, longest + 2)])
    kind = draw.choice([SIGNS[:10], SIGNS[:10], SIGNS])
    return "".join(draw.choices(kind, k=size))


def number(draw: random.Random, odd: list[str], point: str) -> str:
    return draw.choice([*odd, *[f"{draw.randint(1, 10 ** draw.randint(1, 10))}{point}"] * 200])


def row(draw: random.Random, n: int) -> list[str]:
    return [
        draw.choice([text(draw, 255), f"Lamp {n}", f"Lämpchen {n}"]),
        draw.choice(["", "Brass", "Brass", text(draw, draw.choice([30, 30, 30, 2_000]))]),
        number(draw, AMOUNTS, draw.choice(["", ".5", ".25"])),
        number(draw, NUMBERS, ""),
        number(draw, NUMBERS, ""),
        draw.choice(["true", "false", *["true"] * 40, *FLAGS]),
    ]


@pytest.mark.usefixtures("context")
def test_what_is_plain_is_staged_as_if_the_schema_had_been_asked() -> None:
    draw = random.Random(6)
    file = StringIO(newline="")
    csv.writer(file).writerows([bulk.FIELDS, *(row(draw, n) for n in range(ROWS))])
    content = file.getvalue().encode()
    sheet = bulk.Sheet(BytesIO(content))
    plain = sheet.plain(validate_row.plain)
    quick = sum(plain(cells) is not None for _, cells in sheet.rows())
    stage(bulk.Sheet(BytesIO(content)), validate_row)
    db.session.execute(sa.text(f"CREATE TEMPORARY TABLE quick ON COMMIT DROP AS TABLE {STAGED}"))
    stage(bulk.Sheet(BytesIO(content)), Slow())
    for one, other in ((STAGED, "quick"), ("quick", STAGED)):
        missing = sa.text(f"TABLE {one} EXCEPT ALL TABLE {other} LIMIT 3")
        assert db.session.execute(missing).all() == []
    good = sa.select(sa.func.count()).where(STAGED.c.message.is_(None))
    assert ROWS / 4 < quick < (db.session.scalar(good) or 0) < ROWS * 3 / 4


def test_letters_that_are_plain_stay_what_they_are_and_are_no_marks() -> None:
    letters = [sign for sign in map(chr, range(1, 0x11000)) if re.fullmatch(f"[{STABLE}]", sign)]
    assert len(letters) > 20_000
    for letter in letters:
        assert unicodedata.is_normalized("NFC", letter)
        assert not unicodedata.combining(unicodedata.normalize("NFD", letter)[0])
    draw = random.Random(7)
    for _ in range(2_000):
        some = "".join(draw.choices(letters, k=100))
        assert unicodedata.normalize("NFC", some) == some


FIELDS: list[tuple[Value, Callable[[str], Any]]] = [
    (Int(), int),
    (Int(min=1), int),
    (Int(min=5), int),
    (Int(min=-3, max=1_000, zero=False), int),
    (Int(min=-9, max=-1), int),
    (Money(), Decimal),
    (Money(min=Decimal(0), max=Decimal(50)), Decimal),
    (Money(min=Decimal("0.5")), Decimal),
    (Text(max=3), str),
    (Text(min=2, max=4, pattern="[a-z]+", allowed="small letters"), str),
    (Email(), str),
    (Secret(min=8, max=128), str),
    (Timestamp(), str),
]


@pytest.mark.parametrize(("field", "read"), FIELDS, ids=lambda each: type(each).__name__)
def test_a_field_takes_what_is_plain_to_it(field: Value, read: Callable[[str], Any]) -> None:
    load = Loader(Query.from_dict({"cell": field})(), "row")
    draw = random.Random(8)
    short = ["".join(draw.choices("019.-+ aZ@ä\u0301", k=draw.randint(0, 6))) for _ in range(4_000)]
    for cell in [*AMOUNTS, *NUMBERS, *short]:
        if found := re.fullmatch(load.plain["cell"], cell):
            assert load({"cell": cell}) == {"cell": read(found[1])}


def refuse(_: str) -> None:
    raise ma.ValidationError("Never.")


class Checked(Schema):
    """A field with a rule of its own."""

    name = Text(max=5, validate=refuse)


class Hooked(Schema):
    """A rule of the whole document."""

    name = Text(max=5)

    @ma.validates_schema
    def _whole(self, values: dict[str, Any], **_: Any) -> None:
        refuse(values["name"])


@pytest.mark.parametrize("schema", [Checked, Hooked])
def test_rules_of_another_kind_are_always_heard(schema: type[Schema]) -> None:
    load = Loader(schema(), "row")
    assert not re.fullmatch(load.plain["name"], "Lamp")
    with pytest.raises(Invalid):
        load({"name": "Lamp"})
