"""The grammar of fields: what it makes of them, and what it refuses."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from config import ROOT
from project.errors import Refused
from project.scaffold import kinds
from project.scaffold.fields import TYPES, parse
from project.scaffold.house import House
from project.scaffold.kinds import Field
from tests.scaffold.wanted import resource


def read(spec: str) -> Field:
    return parse(spec, House(ROOT).find)


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind not in ("enum", "ref")])
def test_every_type_is_known_by_its_name(kind: str) -> None:
    field = read(f"thing:{kind}")
    assert (field.column, field.nullable, field.unique, field.indexed) == (
        "thing",
        *[False] * 3,
    )
    assert read(f"thing:{kind}?").nullable


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("name:text", {"low": 1, "high": 255, "default": None}),
        ("name:text:unique:80", {"high": 80, "unique": True}),
        ("name:text:80:unique", {"high": 80, "unique": True}),
        ("name:text:3..5", {"low": 3, "high": 5}),
        ("notes:text:2000?", {"high": 2000, "nullable": True}),
        ("label:text=a = b: c?", {"default": '"a = b: c?"'}),
        ("n:integer", {"low": -(2**31) + 1, "high": 2**31 - 1}),
        ("n:integer:0..5=3", {"low": 0, "high": 5, "default": '"3"'}),
        ("n:integer:..5", {"low": -(2**31) + 1, "high": 5}),
        ("n:bigint:-5..", {"low": -5, "high": 2**63 - 1}),
        ("price:money", {"low": Decimal(0), "high": Decimal("99999999.99")}),
        ("price:money:0.01..9.50=1", {"low": Decimal("0.01"), "default": '"1.00"'}),
        ("w:decimal(5,2)", {"low": Decimal("-999.99"), "digits": 5, "places": 2}),
        ("w:decimal(5,2):0..=0.5", {"low": Decimal(0), "default": '"0.50"'}),
        ("ok:boolean=false", {"default": 'text("false")'}),
        ("day:date=2026-02-28", {"default": '"2026-02-28"'}),
        ("state:enum(a|b)=b", {"choices": ("a", "b"), "default": '"b"', "constant": "STATES"}),
        ("product:ref", {"column": "product_id", "table": "products", "target": "product"}),
        ("seller:ref(users)?", {"column": "seller_id", "table": "users", "nullable": True}),
        ("seller:ref(user)", {"column": "seller_id", "table": "users", "target": "user"}),
        ("order:integer", None),
        ("order:ref(product)", {"column": "order_id"}),
        ("page:url:unique", {"unique": True, "high": 2000}),
    ],
)
def test_a_field_is_what_is_spelled(spec: str, expected: dict[str, Any] | None) -> None:
    if expected is None:
        with pytest.raises(Refused):
            read(spec)
        return
    field = read(spec)
    assert {name: getattr(field, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        *(
            (spec, "is no field")
            for spec in (
                *("", "name", ":text", "name:", "Name:text", "na-me:text", "na me:text", "_n:text"),
                *("n__m:text", "naïve:text", "name:text()x", "name:Text", "name:text)", "n'x:text"),
                *("../x:text", "{{x}}:text", "x;y:text", "\udcff:text", "name:((:x", "1st:text"),
            )
        ),
        ("name:string", "there is no type 'string'"),
        ("name:text(5)", "takes nothing in brackets"),
        *((f"{name}:text", "what every row has") for name in ("id", "version", "created_at")),
        ("tag:text", "what every row has"),
        *((f"{name}:text", "a word of Python") for name in ("class", "lambda", "self", "return")),
        *((f"{name}:text", "a word of SQL") for name in ("select", "user", "order", "end")),
        *((f"{name}:integer", "a parameter of every list") for name in ("q", "skip", "cursor")),
        *((f"{name}:text", "used by") for name in ("metadata", "registry", "fields", "load")),
        ("password:text", "no secret"),
        ("n" * 41 + ":text", "at most 40 letters"),
        ("name:text:uniq", "'uniq' is no modifier"),
        ("name:text:", "'' is no modifier"),
        ("name:text:-5", "is no modifier"),
        ("name:text?:5", "is no field"),
        ("name:text:unique:unique", "there twice"),
        ("name:text:5:6", "not two"),
        ("name:text:0", "beyond the lengths"),
        ("name:text:50001", "beyond the lengths"),
        ("name:text:999999999999", "is no modifier"),
        ("name:text:9..3", "upside down"),
        ("name:text:1.5..3", "no whole number"),
        ("name:text:unique:2000", "an index holds"),
        ("name:text:index:501", "an index holds"),
        ("name:text:unique:3", "a million"),
        ("slug:slug:1..5", "no range"),
        ("slug:slug:3", "beyond the lengths"),
        ("n:integer:5", "no length"),
        ("n:integer:5..0", "upside down"),
        ("n:integer:5..5", "one value only"),
        ("n:integer:..", "'..' is no range"),
        ("n:integer:0..2147483648", "beyond the values"),
        ("n:integer:unique:0..5", "a million"),
        ("n:integer:0..5=6", "does not fit: Must be between 0 and 5."),
        ("n:integer=1.5", "does not fit"),
        ("n:integer=", "is not 1 to 40 letters"),
        ("n:integer=\u0661", "is not 1 to 40 letters"),
        ("price:money:0..0.001", "more than 2 decimals"),
        ("price:money:0..100000000", "beyond the values"),
        ("price:money:unique", "cannot be unique"),
        ("price:money=1.999", "does not fit: Must have at most two decimals."),
        ("w:decimal(16,2)", "fifteen digits"),
        ("w:decimal(2,2)", "fifteen digits"),
        ("w:decimal()", "fifteen digits"),
        ("ok:boolean:index", "cannot be index"),
        ("ok:boolean:5", "no length and no range"),
        ("ok:boolean=yes", "does not fit: Must be true or false."),
        ("day:date:1..5", "no length and no range"),
        ("day:date=2026-02-30", "does not fit"),
        ("at:datetime=now", "does not fit"),
        ("key:uuid=1", "does not fit"),
        ("details:json={}", "takes no default"),
        ("details:json:unique", "cannot be unique"),
        ("state:enum", "two to fifty"),
        ("state:enum(a)", "two to fifty"),
        ("state:enum(a|a)", "two to fifty"),
        ("state:enum(a|b c)", "two to fifty"),
        ("state:enum(a|')", "two to fifty"),
        ("state:enum(a|b)=c", "does not fit: Must be one of: a, b."),
        ("state:enum(a|b):unique", "cannot be unique"),
        ("name:text:unique=x", "which two rows would share"),
        ('name:text=a"b', "without quotes"),
        ("name:text=a\\b", "without quotes"),
        ("name:text=" + "x" * 41, "is not 1 to 40 letters"),
        ("mail:email=ada", "does not fit"),
        ("product:ref=1", "takes no default"),
        ("product:ref:unique", "cannot be unique"),
        ("nothing:ref", "There is no 'nothing' to refer to"),
        ("x:ref(../users)", "There is no '../users' to refer to"),
    ],
    ids=ascii,
)
def test_what_is_no_field_is_refused_in_one_sentence(spec: str, told: str) -> None:
    with pytest.raises(Refused) as caught:
        read(spec)
    assert told in caught.value.sentence
    assert caught.value.sentence.isprintable()
    assert len(caught.value.sentence) < 500  # it may name every room there is


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("ox", "1 to 50 fields, not 0"),
        ("ox " + " ".join(f"f{n}:text" for n in range(100)), "1 to 50 fields, not 100"),
        ("ox name:text name:text", "The field 'name' would be there twice"),
        ("ox product:ref product_id:integer", "The field 'product_id' would be there twice"),
        ("ox is_active:boolean --soft-delete", "The field 'is_active' would be there twice"),
        ("ox owner:ref(user) --owned", "The field 'owner_id' would be there twice"),
        ("ox n:integer n_min:boolean", "The filter 'n_min' would be there twice"),
        ("ox status:enum(a|b) statuse:enum(a|b)", "The list of words 'STATUSES'"),
        (f"{'o' * 30} {'f' * 40}:text", "PostgreSQL's names have at most 63 letters"),
        ("ox above:ref(ox)", "the first ox could refer to none"),
    ],
    ids=lambda value: value[:30],
)
def test_fields_that_do_not_go_together_are_refused(spec: str, told: str) -> None:
    with pytest.raises(Refused) as caught:
        resource(spec)
    assert told in caught.value.sentence


def test_an_example_is_good_and_what_is_wrong_is_not() -> None:
    """Of bounds that leave little room, too."""
    for spec in ("t:text:1", "t:text:40..50", "n:integer:7..9", "n:integer:-9..-7", "s:slug:8"):
        field = read(spec)
        if isinstance(field, kinds.Integer):
            assert field.low <= field.example <= field.high
        else:
            assert (field.low or 1) <= len(str(field.example)) <= field.high
            assert str(field.example).strip() == field.example
