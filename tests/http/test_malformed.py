"""Requests that are wrong in every way we know: each has its status, none changes anything."""

from __future__ import annotations

import gzip
import time
from typing import Any

import pytest
from flask.testing import FlaskClient

from project.db import db
from project.http.app import App
from tests.answers import problem
from tests.samples.make import make_sample

URL = "/api/v1/samples/"
JSON = "application/json"
GOOD = b'{"name": "New", "price": "1"}'
NOT_JSON: dict[str, bytes] = {
    "nothing": b"",
    "blanks": b"  \n",
    "half an object": b'{"name": "x"',
    "two documents": GOOD + GOOD,
    "single quotes": b"{'name': 'x', 'price': 1}",
    "trailing comma": b'{"name": "x", "price": 1,}',
    "comment": b'{"name": "x", "price": 1} // x',
    "form": b"name=x&price=1",
    "duplicate name": b'{"name": "x", "price": 1, "name": "y"}',
    "duplicate name, escaped": b'{"name": "x", "price": 1, "n\\u0061me": "y"}',
    "duplicate name, deep": b'{"name": "x", "price": 1, "z": [{"a": 1, "a": 1}]}',
    "duplicate unknown name": b'{"name": "x", "price": 1, "\\ud800": 1, "\\ud800": 1}',
    "NaN": b'{"name": "x", "price": NaN}',
    "Infinity": b'{"name": "x", "price": Infinity}',
    "-Infinity": b'{"name": "x", "price": -Infinity}',
    "NaN in an unknown field": b'{"z": NaN}',
    "+1": b'{"name": "x", "price": +1}',
    "01": b'{"name": "x", "price": 01}',
    ".5": b'{"name": "x", "price": .5}',
    "0x10": b'{"name": "x", "price": 0x10}',
    "1_000": b'{"name": "x", "price": 1_000}',
    "Arabic digits": '{"name": "x", "price": ٣}'.encode(),
    "invalid UTF-8": b'{"name": "\xff", "price": 1}',
    "overlong UTF-8": b'{"name": "\xc0\xaf", "price": 1}',
    "UTF-8 surrogate": b'{"name": "\xed\xa0\x80", "price": 1}',
    "Latin-1": '{"name": "é", "price": 1}'.encode("latin-1"),
    "UTF-16": GOOD.decode().encode("utf-16"),
    "UTF-16 without a mark": GOOD.decode().encode("utf-16-le"),
    "UTF-32": GOOD.decode().encode("utf-32"),
    "byte order mark": b"\xef\xbb\xbf" + GOOD,
    "raw NUL": b'{"name": "a\x00b", "price": 1}',
    "raw newline": b'{"name": "a\nb", "price": 1}',
    "NUL": b'{"name": "a\\u0000b", "price": 1}',
    "NUL in a name": b'{"name": "x", "price": 1, "a\\u0000": 1}',
    "high surrogate": b'{"name": "\\ud800", "price": 1}',
    "low surrogate": b'{"name": "\\udc00", "price": 1}',
    "surrogates the wrong way round": b'{"name": "\\ude00\\ud83d", "price": 1}',
    "surrogate in a name": b'{"name": "x", "price": 1, "\\udfff": 1}',
    "surrogate in a price": b'{"name": "x", "price": "\\ud800"}',
    "33 levels": b'{"z": ' + b"[" * 32 + b"]" * 32 + b"}",
    "33 objects": b'{"z": ' * 33 + b"1" + b"}" * 33,
    "33 levels behind brackets": b'{"y": "[[[[", "z": ' + b"[" * 32 + b"]" * 32 + b"}",
    "100,000 levels": b"[" * 100_000 + b"]" * 100_000,
    "100,000 levels, open": b'{"z":' * 100_000,
    "5,000 digits": b'{"name": "x", "price": 1, "amount": ' + b"9" * 5000 + b"}",
    "an exponent beyond all": b'{"name": "x", "price": 1e99999999999999999999}',
}
NOT_VALID: dict[str, tuple[bytes, str, str]] = {
    "an array": (b"[" + GOOD + b"]", "", "invalid"),
    "a string": (b'"x"', "", "invalid"),
    "a number": (b"5", "", "invalid"),
    "null": (b"null", "", "invalid"),
    "true": (b"true", "", "invalid"),
    "32 levels": (b'{"name":"x","price":1,"z":' + b"[" * 31 + b"]" * 31 + b"}", "z", "unknown"),
    "huge name": (b'{"name":"x","price":1,"%s":1}' % (b"z" * 50_000), "z" * 100, "unknown"),
    "empty name": (b'{"name":"x","price":1,"":1}', "", "unknown"),
    "name in another case": (b'{"name":"x","price":1,"Stock":1}', "Stock", "unknown"),
    "__proto__": (b'{"name":"x","price":1,"__proto__":{}}', "__proto__", "unknown"),
}
WRONG: dict[str, dict[str, list[str]]] = {
    "name": {"invalid": ["5", "true", "1.5", "[]", '["x"]', "{}"], "null": ["null"]},
    "description": {"invalid": ["5", "false", "[]", "{}"]},
    "amount": {
        "invalid": ['"5"', "1.9", "true", "false", "[]", "{}", '""', '"٣"', '"1_000"', "1e-1"],
        "out_of_range": ["-1", "2147483648", "9" * 4000, "1e15", "-9e18"],
        "null": ["null"],
    },
    "is_active": {"invalid": ["0", "1", '"true"', '"yes"', '""', "[]", "1.0"], "null": ["null"]},
    "price": {
        "invalid": [
            *['""', '" 5"', '"5 "', '"1e2"', '"NaN"', '"Infinity"', '"-Infinity"', '"sNaN"'],
            *['"1_000"', '"1,50"', '"٣"', '"+5"', '".5"', '"5."', '"0x10"', '"5\\n"', '"$5"'],
            *["true", "false", "[]", "{}", "[1]", '"--5"', f'"{"9" * 5000}"', '"1.2.3"'],
        ],
        "decimals": ["1.999", '"1.999"', "0.015", "105e-3", "1.00000000000000000000000001"],
        "out_of_range": [
            *["0", "-0", "0.0", '"0"', '"-0"', '"-1"', "-1", "1e-3", "1e-999999999", "0e999999999"],
            *["100000000", '"100000000.00"', "1e400", "1e999999999", "-1e999999999", "9" * 4000],
        ],
        "null": ["null"],
    },
}
CASES = [(n, v, code) for n, codes in WRONG.items() for code, vs in codes.items() for v in vs]


@pytest.fixture
def stored(app: App, isolated: None) -> str:
    with app.app_context():
        id = make_sample(name="Lamp").id
        db.session.commit()
    return f"{URL}{id}"


def unchanged(client: FlaskClient, stored: str) -> bool:
    page = client.get(URL).json
    return page is not None and [item["version"] for item in page["items"]] == [1]


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
def test_a_body_with_no_or_two_meanings_is_refused(
    client: FlaskClient, signed_in: dict[str, str], stored: str, body: bytes
) -> None:
    send = {"data": body, "content_type": JSON, "headers": signed_in}
    problem(client.post(URL, **send), 400, "malformed_body")
    problem(client.patch(stored, **send), 400, "malformed_body")
    assert unchanged(client, stored)


@pytest.mark.parametrize(("body", "field", "code"), NOT_VALID.values(), ids=NOT_VALID)
def test_a_document_of_another_shape_is_refused(
    client: FlaskClient, signed_in: dict[str, str], stored: str, body: bytes, field: str, code: str
) -> None:
    for method, path in (("POST", URL), ("PUT", stored)):
        send: dict[str, Any] = {"data": body, "content_type": JSON, "headers": signed_in}
        answer = client.open(path, method=method, **send)
        [error] = problem(answer, 422, "invalid_fields")["errors"]
        assert (error["field"], error["code"]) == (field, code)
    assert unchanged(client, stored)


@pytest.mark.parametrize(("name", "value", "code"), CASES, ids=lambda value: value[:24])
def test_a_value_of_another_kind_is_refused(
    client: FlaskClient, signed_in: dict[str, str], stored: str, name: str, value: str, code: str
) -> None:
    body = f'{{"{name}": {value}}}'
    answer = client.patch(stored, data=body, content_type=JSON, headers=signed_in)
    [error] = problem(answer, 422, "invalid_fields")["errors"]
    assert (error["in"], error["field"], error["code"]) == ("body", name, code)
    assert unchanged(client, stored)


@pytest.mark.parametrize(
    "sent",
    [
        {"content_type": "text/plain"},
        {"content_type": "text/json"},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_type": "application/merge-patch+json"},
        {"content_type": "application/jsonx"},
        {"content_type": "json"},
        {"content_type": ""},
        {"content_type": None},
        {"data": gzip.compress(GOOD, mtime=0), "headers": {"Content-Encoding": "gzip"}},
        {"headers": {"Content-Encoding": "identity"}},
        {"headers": {"Content-Encoding": ""}},
    ],
    ids=str,
)
def test_another_format_or_encoding_is_refused(
    client: FlaskClient, signed_in: dict[str, str], stored: str, sent: dict[str, Any]
) -> None:
    headers = {**signed_in, **sent.get("headers", {})}
    answer = client.post(URL, **{"data": GOOD, "content_type": JSON, **sent, "headers": headers})
    problem(answer, 415, "unsupported_media_type")
    assert unchanged(client, stored)


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "Application/JSON", f"{JSON};"]
)
def test_the_content_type_may_have_parameters_and_any_case(
    client: FlaskClient, signed_in: dict[str, str], kind: str
) -> None:
    answer = client.post(URL, data=GOOD, content_type=kind, headers=signed_in)
    assert answer.status_code == 201


def test_nothing_at_all_is_not_json(client: FlaskClient, signed_in: dict[str, str]) -> None:
    problem(client.post(URL, headers=signed_in), 400, "malformed_body")


PATHS = ["-1", "abc", "1.0", "%00", "%D9%A1", "1e3", "%201", "1%20", "1%0A", "0x1", "%FF", "9" * 41]
PATHS += [
    "..",
    "1/2",
    "1/amount/2",
    "/1",
    "1//",
    "1//amount",
    "search/search",
    "+1",
    "1,2",
    "\uff11",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_strange_address_is_not_there(
    client: FlaskClient, signed_in: dict[str, str], stored: str, path: str
) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE", "POST"):
        answer = client.open(URL + path, method=method, headers=signed_in, json={"amount": 1})
        problem(answer, 404, "not_found")
    assert unchanged(client, stored)


def test_a_wide_object_with_a_duplicate_costs_no_more_than_reading_it(
    client: FlaskClient, signed_in: dict[str, str]
) -> None:
    names = ",".join(f'"{number}":0' for number in range(70_000))
    began = time.perf_counter()
    answer = client.post(URL, data=f'{{{names},"z":0,"z":0}}', content_type=JSON, headers=signed_in)
    problem(answer, 400, "malformed_body")
    assert time.perf_counter() - began < 2


def test_a_pile_of_accents_costs_no_more_than_reading_it(
    client: FlaskClient, signed_in: dict[str, str]
) -> None:
    began = time.perf_counter()
    name = "a" + "\u0300\u0316" * 80_000
    answer = client.post(URL, json={"name": name, "price": 1}, headers=signed_in)
    problem(answer, 422, "invalid_fields")
    assert time.perf_counter() - began < 2
