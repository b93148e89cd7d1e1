"""`GET /products/export`: the catalogue as a file, in either format."""

from __future__ import annotations

import csv
import json
import random
import re
from decimal import Decimal
from functools import partial
from io import StringIO
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert
from werkzeug.test import TestResponse

from project.db import db, stream
from project.http.app import App
from project.products.bulk import FIELDS
from project.products.models import Product
from tests.answers import document, problem
from tests.products.make import make_product

URL = "/api/v1/products/"
EXPORT = f"{URL}export"
COLUMNS = ["id", *FIELDS, "created_at", "updated_at"]
Headers = dict[str, str]
RUN = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\uff1d1+1",
    "\uff0d1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("x")',
]
HARMLESS = ["1=1", "a-b", "'=1", "Lamp", "1", "\u00b1 1", "\u2212 1"]


@pytest.fixture
def stored(app: App, isolated: None) -> None:
    """Three products, none like the other."""
    with app.app_context():
        make_product(name="Lamp", description='Brass, "old",\r\nwith a\ttab', stock=5)
        make_product(name="Desk", price=Decimal("99999999.99"), is_active=False)
        make_product(name="Ⓑed 😀", price=Decimal("0.01"), stock=2**31 - 1)
        db.session.commit()


def export(client: FlaskClient, headers: Headers, **query: str) -> TestResponse:
    return client.get(EXPORT, query_string=query, headers=headers, buffered=True)


def rows(answer: TestResponse) -> list[dict[str, str]]:
    """The rows of a CSV file, as anybody reads them."""
    assert (answer.status_code, answer.content_type) == (200, "text/csv; charset=utf-8")
    return [*csv.DictReader(StringIO(answer.text, newline=""), strict=True)]


def documents(answer: TestResponse) -> list[dict[str, Any]]:
    """The lines of an NDJSON file."""
    assert (answer.status_code, answer.content_type) == (200, "application/x-ndjson")
    return [json.loads(line) for line in answer.text.split("\n")[:-1]]


@pytest.mark.usefixtures("stored")
def test_a_line_of_json_is_the_product_as_it_is_answered(
    client: FlaskClient, signed_in: Headers
) -> None:
    listed = document(client.get(URL))["items"]
    shown = [{name: product[name] for name in COLUMNS} for product in listed]
    found = export(client, signed_in, format="ndjson")
    assert documents(found) == shown
    assert [*documents(found)[0]] == COLUMNS
    assert found.headers["Content-Disposition"] == "attachment; filename=products.ndjson"


@pytest.mark.usefixtures("stored")
def test_a_row_of_csv_says_the_same(client: FlaskClient, signed_in: Headers) -> None:
    lines = documents(export(client, signed_in, format="ndjson"))
    spelled = {True: "true", False: "false", None: ""}
    plain = [
        {
            name: spelled[value] if isinstance(value, bool | None) else str(value)
            for name, value in line.items()
        }
        for line in lines
    ]
    found = export(client, signed_in)
    assert rows(found) == plain
    assert found.text.startswith(",".join(COLUMNS) + "\r\n")
    assert found.headers["Content-Disposition"] == "attachment; filename=products.csv"


@pytest.mark.usefixtures("stored")
def test_rows_come_in_the_order_of_ids_whichever_was_changed_last(
    client: FlaskClient, signed_in: Headers
) -> None:
    first = rows(export(client, signed_in))[0]["id"]
    changed = client.patch(f"{URL}{first}", json={"price": "1.00"}, headers=signed_in)
    assert changed.status_code == 200
    assert [row["name"] for row in rows(export(client, signed_in))] == ["Lamp", "Desk", "Ⓑed 😀"]


def test_an_empty_catalogue_is_a_header(client: FlaskClient, signed_in: Headers) -> None:
    assert export(client, signed_in).text == ",".join(COLUMNS) + "\r\n"
    assert export(client, signed_in, format="ndjson").text == ""


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"active_only": "true"}, ["Lamp", "Ⓑed 😀"]),
        ({"in_stock": "false"}, ["Desk"]),
        ({"price_min": "1", "price_max": "30"}, ["Lamp"]),
    ],
)
def test_what_a_list_leaves_out_an_export_does_too(
    client: FlaskClient, signed_in: Headers, query: dict[str, str], names: list[str]
) -> None:
    assert [row["name"] for row in rows(export(client, signed_in, **query))] == names


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"format": "xlsx"}, "format"),
        ({"neutralise": "yes"}, "neutralise"),
        ({"limit": "5"}, "limit"),
        ({"price_min": "cheap"}, "price_min"),
    ],
)
def test_a_wrong_question_is_refused(
    client: FlaskClient, signed_in: Headers, query: dict[str, str], field: str
) -> None:
    [error] = problem(export(client, signed_in, **query), 422, "invalid_fields")["errors"]
    assert (error["in"], error["field"]) == ("query", field)


@pytest.mark.parametrize("format", ["csv", "ndjson"])
def test_text_that_a_spreadsheet_would_run_is_quoted_on_request(
    app: App, client: FlaskClient, signed_in: Headers, format: str
) -> None:
    read = rows if format == "csv" else documents
    with app.app_context():
        for text in (*RUN, *HARMLESS):
            make_product(name=text, description=f"{text} {text}")
        db.session.commit()
    for neutralise in ("false", "true"):
        found = read(export(client, signed_in, format=format, neutralise=neutralise))
        sign = "'" if neutralise == "true" else ""
        assert [row["name"] for row in found] == [f"{sign}{text}" for text in RUN] + HARMLESS
        texts = [f"{sign}{text} {text}" for text in RUN] + [f"{text} {text}" for text in HARMLESS]
        assert [row["description"] for row in found] == texts
        assert {row["price"] for row in found} == {"29.90"}


@pytest.mark.parametrize("text", ["\t=1", "\r1", "\n1", " =1", "\u3000@x", "\u00a0+1"])
def test_text_that_came_by_another_way_is_neutralised_after_its_blanks(
    app: App, client: FlaskClient, signed_in: Headers, text: str
) -> None:
    with app.app_context():
        make_product(name=text)
        db.session.commit()
    [row] = rows(export(client, signed_in, neutralise="true"))
    assert row["name"] == f"'{text}"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("x;=1+1;y", "x;'=1+1;y"),
        ("x\n=1", "x\n'=1"),
        ("a\t@b\tc", "a\t'@b\tc"),
        ("=1; -2", "'=1;' -2"),
        ("a=b; c+d", "a=b; c+d"),
    ],
)
def test_what_is_a_cell_where_another_sign_separates_is_neutralised_too(
    app: App, client: FlaskClient, signed_in: Headers, text: str, safe: str
) -> None:
    with app.app_context():
        make_product(name=text)
        db.session.commit()
    [row] = rows(export(client, signed_in, neutralise="true"))
    assert row["name"] == safe


def harmless(text: str | None) -> str | None:
    """What `neutralise` makes of a text, said by Python's own regular expressions."""
    run = r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]"
    if not text:
        return text
    whole = re.sub(rf"(?<!\A)([;\t\r\n])(?={run})", r"\1'", text)
    return f"'{whole}" if re.match(rf"{run}|[\t\r\n]", text) else whole


SIGNS = [*"=+-@'\",;.:/%\\\r\n\t \x01\x02\x1c\x1f\x7f\x85\xa0\u180e\u1680\u2003\u2028\ufeff"]
SIGNS += [*"\u3000\u202f\uff1d\uff0b\uff0d\uff20aZ09äß漢😀", "\r\n", "\\N", "\\.", "NULL", "''"]


@pytest.mark.parametrize("neutralise", ["false", "true"])
def test_any_text_is_written_as_the_modules_csv_and_json_would(
    app: App, client: FlaskClient, signed_in: Headers, neutralise: str
) -> None:
    draw = random.Random(9)
    texts = {"".join(draw.choices(SIGNS, k=draw.randint(1, 7))) for _ in range(3_000)}
    with app.app_context():
        made: list[dict[str, Any]] = [
            {"name": text, "description": draw.choice([None, text[::-1]]), "price": 1, "stock": n}
            for n, text in enumerate(texts)
        ]
        db.session.execute(insert(Product), made)
        db.session.commit()
    spell = harmless if neutralise == "true" else str
    found = export(client, signed_in, format="ndjson", neutralise=neutralise).text
    products = [json.loads(line) for line in found.split("\n")[:-1]]
    described = [each["description"] and spell(each["description"]) for each in made]
    assert [each["name"] for each in products] == [spell(each["name"]) for each in made]
    assert [each["description"] for each in products] == described
    dump = partial(json.dumps, ensure_ascii=False, separators=(",", ":"))
    assert found == "".join(f"{dump(product)}\n" for product in products)
    table = StringIO(newline="")
    writer = csv.DictWriter(table, COLUMNS)
    writer.writeheader()
    writer.writerows({**each, "is_active": "true"} for each in products)
    assert export(client, signed_in, neutralise=neutralise).text == table.getvalue()


def test_an_export_asks_as_often_however_many_there_are(
    app: App,
    client: FlaskClient,
    signed_in: Headers,
    statements: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream, "BATCH", 1_000)
    with app.app_context():
        for _ in range(50):
            make_product()
        db.session.commit()
    statements.clear()
    assert len(rows(export(client, signed_in))) == 50
    assert len(statements) == 3, statements  # who asks, the limits, the products


def test_who_is_not_signed_in_gets_no_file(client: FlaskClient) -> None:
    problem(export(client, {}), 401, "unauthorized")


@pytest.mark.usefixtures("stored")
def test_the_log_tells_how_much_was_taken(
    client: FlaskClient, signed_in: Headers, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    export(client, signed_in)
    request, download = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (download["event"], download["rows"], download["whole"]) == ("download", 3, True)
    assert (request["event"], request["request_id"]) == ("request", download["request_id"])
