"""Fields alone: numbers with decimals, days, UUIDs, objects, slugs and addresses of pages."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import jsonschema_rs
import pytest

from project.errors import Invalid
from project.http.body import load
from project.http.fields import Date, Money, Numeric, Object, Slug, Text, Url, Uuid, Value
from project.http.schemas import Schema

SOME = "3f2b8c1e-9d4a-4b6f-8a17-5c0d2e7f9b31"


class Document(Schema):
    """One field of each kind."""

    weight = Numeric(6, 3)
    share = Numeric(3, 2, min=Decimal(0), max=Decimal(1))
    credit = Money(min=Decimal(-5), max=Decimal(5))
    day = Date()
    key = Uuid()
    details = Object()
    slug = Slug(max=10)
    page = Url(max=40)
    code = Text(min=3, max=5)


FIELDS: dict[str, Value] = dict(Document().fields)  # type: ignore[arg-type]  # all are ours


def read(name: str, value: Any) -> Any:
    return load(Document(), {name: value})[name]


@pytest.mark.parametrize(
    ("name", "given", "kept", "answered"),
    [
        ("weight", "1.5", Decimal("1.500"), "1.500"),
        ("weight", 7, Decimal("7.000"), "7.000"),
        ("weight", Decimal("-0.001"), Decimal("-0.001"), "-0.001"),
        ("weight", "999.999", Decimal("999.999"), "999.999"),
        ("weight", "-999.999000", Decimal("-999.999"), "-999.999"),
        ("weight", "-0.000", Decimal("0.000"), "0.000"),
        ("share", "1", Decimal("1.00"), "1.00"),
        ("credit", "-5", Decimal("-5.00"), "-5.00"),
        ("credit", "-0", Decimal("0.00"), "0.00"),
        ("day", "2024-02-29", date(2024, 2, 29), "2024-02-29"),
        ("day", "0001-01-01", date(1, 1, 1), "0001-01-01"),
        ("key", SOME.upper(), UUID(SOME), SOME),
        ("slug", " desk-lamp2 ", "desk-lamp2", "desk-lamp2"),
        ("slug", "7", "7", "7"),
        ("page", "https://shop.example:80/a?b=c#d", "https://shop.example:80/a?b=c#d", None),
        ("page", "http://a", "http://a", "http://a"),
        ("details", {}, {}, {}),
        (
            "details",
            {"a": [Decimal("1.10"), None, {"ß": True}], "b": 2**70},
            {"a": [1.1, None, {"ß": True}], "b": 2**70},
            None,
        ),
        ("code", " abc ", "abc", "abc"),
    ],
    ids=str,
)
def test_what_is_good_is_kept_and_answered(name: str, given: Any, kept: Any, answered: Any) -> None:
    assert read(name, given) == kept
    assert repr(read(name, given)) == repr(kept)  # 0.00 equals -0.00
    assert Document().dump({name: kept}) == {name: kept if answered is None else answered}
    assert read(name, Document().dump({name: kept})[name]) == kept


def each(name: str, code: str, *wrong: Any) -> list[tuple[str, Any, str]]:
    return [(name, value, code) for value in wrong]


WRONG = [
    *each("weight", "out_of_range", "1000", "-1000", 10**30, "999.9991"),
    *each("weight", "decimals", "1.0001", Decimal("0.0005")),
    *each("weight", "invalid", "", "1e2", "NaN", "+1", "\u0661", True, [], ".5"),
    *each("share", "out_of_range", "1.01", "-0.01"),
    *each("credit", "out_of_range", "-5.01"),
    *each("day", "invalid", "2023-02-29", "20240229", "2024-W09", "\u0662024-01-01", "2024-1-1", 5),
    *each("key", "invalid", SOME[1:], SOME.replace("-", ""), f"{{{SOME}}}", f"urn:uuid:{SOME}", 5),
    *each("slug", "pattern", "Lamp", "a--b", "-a", "a-", "a b", "ä", "a_b"),
    *each("slug", "too_long", "x" * 11),
    *each("slug", "blank", " "),
    *each("page", "pattern", "a.example", "ftp://a", "http://", "http://a b", "http://ä"),
    *each("page", "pattern", "javascript:x"),
    *each("details", "invalid", [], "x", 5, True),
    *each("details", "too_large", {"a": [{"b": Decimal("1e400")}]}),
    *each("code", "too_short", "ab", " ab "),
]


@pytest.mark.parametrize(("name", "wrong", "code"), WRONG, ids=str)
def test_what_is_not_is_refused(name: str, wrong: Any, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(name, wrong)
    [error] = caught.value.members["errors"]
    assert (error["field"], error["code"]) == (name, code)


@pytest.mark.parametrize(("name", "wrong", "code"), WRONG, ids=str)
def test_the_description_refuses_it_too(name: str, wrong: Any, code: str) -> None:
    """But for the range of a number that is spelled, and what a float cannot hold."""
    if (isinstance(wrong, str) and code == "out_of_range") or code == "too_large":
        return
    schema = jsonschema_rs.Draft202012Validator(FIELDS[name].describe(), validate_formats=True)
    told = float(wrong) if isinstance(wrong, Decimal) else wrong
    assert not schema.is_valid(told.strip() if isinstance(told, str) else told)


def test_there_is_no_year_0() -> None:
    """Which no description says: format date knows it."""
    with pytest.raises(Invalid):
        read("day", "0000-01-01")


def test_no_message_leaves_a_word_open() -> None:
    for name, wrong, _ in WRONG:
        with pytest.raises(Invalid) as caught:
            read(name, wrong)
        assert not re.search("[{}]", str(caught.value))


def test_missing_is_answered_as_null() -> None:
    nothing = dict.fromkeys(FIELDS)
    assert Document().dump(nothing) == nothing
