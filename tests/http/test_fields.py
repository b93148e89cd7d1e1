"""Fields alone: text piled up, ids in a list, and letters that only look like others."""

from __future__ import annotations

import time
import unicodedata
from decimal import Decimal
from typing import Any

import pytest

from project.errors import Invalid
from project.http.body import load
from project.http.fields import Email, Ids, Text
from project.http.schemas import Schema
from project.users.schemas import Username


class Document(Schema):
    """One field of each kind."""

    text = Text(max=50_000)
    email = Email()
    name = Username()
    ids = Ids(most=3)


def read(name: str, value: Any) -> Any:
    return load(Document(), {name: value})[name]


def refused(name: str, value: Any) -> str:
    """The code of the one complaint about the field."""
    with pytest.raises(Invalid) as caught:
        read(name, value)
    [error] = caught.value.members["errors"]
    assert error["field"] == name
    return str(error["code"])


ACCENT, CEDILLA = "\u0301", "\u0327"  # above and below a letter


@pytest.mark.parametrize(
    "text",
    [
        f"x{ACCENT * 30}y",
        f"x{(CEDILLA + ACCENT) * 15}",
        ACCENT * 30,
        f"e{ACCENT * 30}",
        f"{'x' + ACCENT * 30}" * 500,
        "שָׁלוֹם עוֹלָם",
        "ཨོཾ་མ་ཎི་པདྨེ་ཧཱུྃ",
        "สวัสดีชาวโลก ที่นี่",
        "한국어",
        "Z\u0351\u036b\u0343\u036a\u0302a\u0300l\u031bg\u0301o",
    ],
    ids=lambda text: ascii(text)[:30],
)
def test_thirty_marks_in_a_row_are_text(text: str) -> None:
    assert read("text", text) == unicodedata.normalize("NFC", text)
    assert read("text", f" {text}\n") == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    "pile",
    [
        ACCENT * 31,
        f"x{ACCENT * 31}",
        f"x{(CEDILLA + ACCENT) * 16}",
        f"{'x' + ACCENT * 30}" * 10 + ACCENT,
        f"x{ACCENT * 50_000}",
        f"x{(ACCENT + CEDILLA) * 25_000}",
        f"{'y' * 40_000}{(ACCENT + CEDILLA) * 25_000}",
        "\u0344" * 50_000,
        "\u0f73" * 50_000,
        "\u0f73\u0f75\u0f81" * 20_000,
        f"x{(CEDILLA + ACCENT) * 15}{chr(0xF73) * 50_000}",
        f"{('x' + ACCENT * 30 + chr(0xF73)) * 1000}{chr(0xF81) * 30_000}",
        (ACCENT * 30 + "\u0f73") * 1000,
    ],
    ids=lambda pile: f"{ascii(pile)[:24]} {len(pile)}",
)
def test_more_are_refused_in_no_time(pile: str) -> None:
    began = time.perf_counter()
    assert refused("text", pile) == "marks"
    assert time.perf_counter() - began < 0.5


def test_no_character_hides_a_pile_of_marks() -> None:
    """Every one there is, so often that normalising a hidden pile would show; 31 are enough."""
    hiding = [
        hex(code)
        for code in range(0x80, 0x110000)
        if unicodedata.combining(unicodedata.normalize("NFD", chr(code))[0])
    ]
    assert len(hiding) > 800
    for code in hiding:
        assert refused("text", "x" + chr(int(code, 16)) * 31) == "marks", code


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("email", f"a{ACCENT * 31}@example.org"),
        ("name", f"ada{ACCENT * 31}"),
        ("name", "\u0f73" * 40),
    ],
    ids=ascii,
)
def test_every_text_refuses_a_pile(name: str, value: str) -> None:
    assert refused(name, value) == "marks"


def test_length_is_judged_before_a_long_text_is_looked_through() -> None:
    began = time.perf_counter()
    assert refused("name", "é" * 1_000_000) == "too_long"
    assert refused("email", "é" * 1_000_000) == "too_long"
    assert refused("text", "\u1ea4" * 200_001) == "too_long"
    assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("ADA", "ada"),
        (" ada\n", "ada"),
        ("\u3000ada\u00a0", "ada"),
        ("\u212aim", "kim"),  # the sign for Kelvin is K once it is normalised
        ("___", "___"),
        ("-9-", "-9-"),
        ("A" * 50, "a" * 50),
    ],
    ids=ascii,
)
def test_a_user_name_is_kept_in_lower_case(given: str, kept: str) -> None:
    assert read("name", given) == kept
    assert read("name", kept) == kept


@pytest.mark.parametrize(
    "name",
    [
        *["\u0130da", "\u0131da", "i\u0307da", "\uff41da", "ada\u00df", "\u017fda", "e\u0301da"],
        *[
            "a\u200bda",
            "a\u00adda",
            "\u0430da",
            "ada\u0663",
            "a da",
            "a\nda",
            "ada@x.org",
            "ad\u00b2",
        ],
        *["\U0001d41ada", "ada\u202e", "ad\ufb01", "a+b", "a.b", "a/b", "ä" * 3],
    ],
    ids=ascii,
)
def test_letters_that_only_look_like_others_are_no_user_name(name: str) -> None:
    assert refused("name", name) == "pattern"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (" Ada@Example.ORG\n", "ada@example.org"),
        ("\u212aim@example.org", "kim@example.org"),
        ("a\u0308da@exa\u0308mple.org", "äda@exämple.org"),
        ("ada@xn--exmple-cua.org", "ada@exämple.org"),
        ("ada@XN--EXMPLE-CUA.org", "ada@exämple.org"),
        ("ada@\uff45xample\u3002org", "ada@example.org"),
        ("ADA@STRASSE.de", "ada@strasse.de"),
        ("ada@STRA\u1e9eE.de", "ada@straße.de"),
        ("ada@straße.de", "ada@straße.de"),
        ("\u1e9e@example.org", "ß@example.org"),
        ("\u0130da@example.org", "i\u0307da@example.org"),
        ("\u03a3\u03a3@example.org", "\u03c3\u03c2@example.org"),
        ("o'neill+tag@example.org", "o'neill+tag@example.org"),
    ],
    ids=ascii,
)
def test_an_address_is_kept_in_one_spelling(given: str, kept: str) -> None:
    assert read("email", given) == kept
    assert read("email", kept) == kept


@pytest.mark.parametrize(
    "address",
    [
        *[
            "a@b",
            "@example.org",
            "ada@",
            "ada@@example.org",
            "ada @example.org",
            "ada@exa mple.org",
        ],
        *["ada@example..org", ".ada@example.org", "ada.@example.org", "ada@-example.org"],
        *['"ada"@example.org', "ada@[127.0.0.1]", "ada(x)@example.org", "ada@localhost"],
        *[
            "a\u200dda@example.org",
            "ada\u202e@example.org",
            "a\r\nBcc:x@example.org",
            "ada@example.org\u00ad",
        ],
        *[
            f"{'a' * 243}@example.org",
            f"ada@{'a' * 64}.org",
            "a\tb@example.org",
            "<ada@example.org>",
        ],
    ],
    ids=ascii,
)
def test_what_is_no_address_is_refused(address: str) -> None:
    assert refused("email", address) == "invalid_email"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([1], [1]),
        ([3, 1, 3], [3, 1]),
        ([2, 2, 2], [2]),
        ([1, 2, 2**63 - 1], [1, 2, 2**63 - 1]),
        ([Decimal("5.0"), 5], [5]),
    ],
    ids=str,
)
def test_ids_are_kept_in_their_order_each_once(given: Any, kept: list[int]) -> None:
    assert read("ids", given) == kept
    assert all(type(id) is int for id in read("ids", given))


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ([], "length"),
        ([1, 2, 3, 4], "length"),
        ([1, 1, 1, 1], "length"),
        (["x"] * 1000, "length"),
        ((1, 2), "invalid"),
        ("12", "invalid"),
        ({1: 2}, "invalid"),
        (1, "invalid"),
        (True, "invalid"),
        (None, "null"),
        ([1, "2"], "invalid"),
        ([True], "invalid"),
        ([1.0], "invalid"),
        ([Decimal("1.5")], "invalid"),
        ([Decimal("1e30")], "invalid"),
        ([[1]], "invalid"),
        ([{}], "invalid"),
        ([None], "null"),
        ([0], "out_of_range"),
        ([-1], "out_of_range"),
        ([2**63], "out_of_range"),
        ([10**4000], "out_of_range"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_list_of_ids_is_refused(given: Any, code: str) -> None:
    assert refused("ids", given) == code


def test_ids_describe_themselves() -> None:
    fields = Document().fields
    assert fields["ids"].describe() == {  # type: ignore[attr-defined]  # because every field of ours does
        "type": "array",
        "items": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1},
        "minItems": 1,
        "maxItems": 3,
    }
