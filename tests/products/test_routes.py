"""The products section of the contract, call by call."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from project.db import db
from project.http.app import App
from tests.answers import document, problem
from tests.products.make import make_product

URL = "/api/v1/products/"
DECOMPOSED = "e\u0301"  # one letter é once it is normalised
MEMBERS = ["id", "name", "description", "price", "stock", "low_stock_threshold", "is_active"]
MEMBERS += ["version", "created_at", "updated_at", "available"]


@pytest.fixture
def stored(app: App, isolated: None) -> str:
    """The address of a product: Lamp, brass, 29.90, five of them."""
    with app.app_context():
        id = make_product(name="Lamp", description="Brass", stock=5).id
        db.session.commit()
    return f"{URL}{id}"


def create(client: FlaskClient, headers: dict[str, str], **values: Any) -> TestResponse:
    return client.post(URL, json={"name": "Lamp", "price": "1", **values}, headers=headers)


def field(answer: TestResponse) -> tuple[str, str]:
    """The one field a 422 complains about, and the code of the complaint."""
    [error] = problem(answer, 422, "invalid_fields")["errors"]
    assert (error["in"], bool(error["message"])) == ("body", True)
    return error["field"], error["code"]


def test_a_created_product_is_answered_whole(
    client: FlaskClient, signed_in: dict[str, str]
) -> None:
    answer = client.post(URL, json={"name": " Lamp ", "price": "29.9"}, headers=signed_in)
    found = document(answer, 201)
    assert list(found) == MEMBERS
    assert found == {
        "id": found["id"],
        "name": "Lamp",
        "description": None,
        "price": "29.90",
        "stock": 0,
        "low_stock_threshold": None,
        "is_active": True,
        "available": 0,
        "version": 1,
        **{name: found[name] for name in ("created_at", "updated_at")},
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", found["created_at"])
    assert answer.headers["Location"] == f"{URL}{found['id']}"
    assert answer.headers["ETag"] == f'"{found["id"]}-1"'
    assert document(client.get(answer.headers["Location"])) == found


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"name": "x" * 255}, {"name": "x" * 255}),
        ({"name": "😀" * 255}, {"name": "😀" * 255}),
        ({"name": DECOMPOSED * 255}, {"name": "é" * 255}),
        ({"name": " \t\n" + "x" * 255 + "\u00a0\u3000"}, {"name": "x" * 255}),
        ({"name": f"  {DECOMPOSED}  "}, {"name": "é"}),
        ({"description": "x" * 2000}, {"description": "x" * 2000}),
        ({"description": f" {DECOMPOSED * 2000} "}, {"description": "é" * 2000}),
        ({"description": None}, {"description": None}),
        ({"description": ""}, {"description": None}),
        ({"description": " \t\u3000\n"}, {"description": None}),
        ({"price": "0.01"}, {"price": "0.01"}),
        ({"price": 0.01}, {"price": "0.01"}),
        ({"price": "99999999.99"}, {"price": "99999999.99"}),
        ({"price": 99999999.99}, {"price": "99999999.99"}),
        ({"price": 5}, {"price": "5.00"}),
        ({"price": "5.500"}, {"price": "5.50"}),
        ({"stock": 0}, {"stock": 0}),
        ({"stock": 2147483647}, {"stock": 2147483647}),
        ({"low_stock_threshold": 0}, {"low_stock_threshold": 0}),
        ({"low_stock_threshold": 2147483647}, {"low_stock_threshold": 2147483647}),
        ({"low_stock_threshold": None}, {"low_stock_threshold": None}),
        ({"is_active": False}, {"is_active": False}),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_the_limits_themselves_are_allowed(
    client: FlaskClient, signed_in: dict[str, str], sent: dict[str, Any], kept: dict[str, Any]
) -> None:
    found = document(create(client, signed_in, **sent), 201)
    assert {name: found[name] for name in kept} == kept


BEYOND: list[tuple[str, Any, str]] = [
    ("name", "x" * 256, "too_long"),
    ("name", DECOMPOSED * 256, "too_long"),
    ("name", "", "blank"),
    ("name", " \t\u00a0\u3000\n", "blank"),
    ("name", None, "null"),
    ("description", "x" * 2001, "too_long"),
    ("price", None, "null"),
    ("price", 0, "out_of_range"),
    ("price", "0.001", "out_of_range"),
    ("price", "-1", "out_of_range"),
    ("price", "100000000", "out_of_range"),
    ("price", 1.999, "decimals"),
    ("price", "1.999", "decimals"),
    ("stock", -1, "out_of_range"),
    ("stock", 2147483648, "out_of_range"),
    ("stock", None, "null"),
    ("low_stock_threshold", -1, "out_of_range"),
    ("low_stock_threshold", 2147483648, "out_of_range"),
    ("low_stock_threshold", "5", "invalid"),
    ("is_active", None, "null"),
    ("colour", "red", "unknown"),
    ("id", 5, "unknown"),
    ("created_at", "2026-11-22T08:51:36.773621Z", "unknown"),
]


@pytest.mark.parametrize(("name", "value", "code"), BEYOND, ids=lambda value: repr(value)[:20])
def test_beyond_the_limits_nothing_is_made_or_changed(
    client: FlaskClient, signed_in: dict[str, str], stored: str, name: str, value: Any, code: str
) -> None:
    before = document(client.get(stored))
    for answer in (
        create(client, signed_in, **{"name": "New", name: value}),
        client.put(stored, json={name: value}, headers=signed_in),
        client.patch(stored, json={name: value}, headers=signed_in),
    ):
        assert field(answer) == (name, code)
    assert document(client.get(stored)) == before
    assert document(client.get(URL))["total"] == 1


def test_every_wrong_field_is_named(client: FlaskClient, signed_in: dict[str, str]) -> None:
    answer = client.post(URL, json={"stock": -1, "x": 1}, headers=signed_in)
    found = problem(answer, 422, "invalid_fields")
    wrong = {error["field"]: error["code"] for error in found["errors"]}
    needed = {"name": "required", "price": "required"}
    assert wrong == {**needed, "stock": "out_of_range", "x": "unknown"}


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("name", ["Lamp", "a)=(b", "{name} {0} %s", "O'Neill", "two\nlines", "é"])
def test_a_name_is_taken_once_among_inactive_ones_too(
    client: FlaskClient, signed_in: dict[str, str], name: str, active: bool
) -> None:
    first = document(create(client, signed_in, name=name, is_active=active), 201)
    found = problem(create(client, signed_in, name=f" {name} "), 400, "duplicate_name")
    assert found["detail"] == f"Product with name '{name}' already exists"
    assert found["conflict"] == {"id": first["id"], "is_active": active}


def test_a_name_in_another_case_is_another_name(
    client: FlaskClient, signed_in: dict[str, str]
) -> None:
    document(create(client, signed_in, name="lamp"), 201)
    document(create(client, signed_in, name="LAMP"), 201)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_change_cannot_take_anothers_name_but_keeps_its_own(
    client: FlaskClient, signed_in: dict[str, str], stored: str, method: str
) -> None:
    other = create(client, signed_in, name="Other").headers["Location"]
    answer = client.open(other, method=method, json={"name": "Lamp"}, headers=signed_in)
    found = problem(answer, 400, "duplicate_name")
    assert found["detail"] == "Product with name 'Lamp' already exists"
    assert f"{URL}{found['conflict']['id']}" == stored
    own = client.open(stored, method=method, json={"name": " Lamp "}, headers=signed_in)
    assert document(own)["name"] == "Lamp"


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    "sent",
    [
        {"name": "Torch"},
        {"description": None},
        {"price": "0.05"},
        {"stock": 0},
        {"stock": 2147483647},
        {"low_stock_threshold": 5},
        {"low_stock_threshold": None},
        {"is_active": False},
        {"name": "Torch", "price": "1.00", "stock": 1, "is_active": False, "description": "x"},
    ],
    ids=str,
)
def test_only_the_fields_sent_are_changed(
    client: FlaskClient, signed_in: dict[str, str], stored: str, method: str, sent: dict[str, Any]
) -> None:
    before = document(client.get(stored))
    answer = client.open(stored, method=method, json=sent, headers=signed_in)
    after = document(answer)
    sent = {**sent, "available": sent.get("stock", 5)}
    assert after == {**before, **sent, "version": 2, "updated_at": after["updated_at"]}
    assert answer.headers["ETag"] == f'"{after["id"]}-2"'
    assert document(client.get(stored)) == after


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_update_needs_a_field(
    client: FlaskClient, signed_in: dict[str, str], stored: str, method: str
) -> None:
    answer = client.open(stored, method=method, json={}, headers=signed_in)
    assert field(answer) == ("", "required")
    assert document(client.get(stored))["version"] == 1


def test_deleting_is_soft_repeatable_and_restorable(
    client: FlaskClient, signed_in: dict[str, str], stored: str
) -> None:
    for _ in range(2):
        answer = client.delete(stored, headers=signed_in)
        assert (answer.status_code, answer.data) == (204, b"")
    gone = document(client.get(stored))
    assert (gone["is_active"], gone["stock"]) == (False, 5)
    for _ in range(2):
        assert document(client.post(f"{stored}/restore", headers=signed_in))["is_active"] is True
    assert document(client.get(stored))["is_active"] is True


@pytest.mark.parametrize(
    "id", ["0", "9", "9999999999999999999999", "9223372036854775807", "2147483648"]
)
def test_what_is_not_there_is_named(
    client: FlaskClient, signed_in: dict[str, str], id: str
) -> None:
    change = {"json": {"stock": 1}, "headers": signed_in}
    for answer in (
        client.get(f"{URL}{id}"),
        client.put(f"{URL}{id}", **change),
        client.patch(f"{URL}{id}", **change),
        client.delete(f"{URL}{id}", headers=signed_in),
        client.post(f"{URL}{id}/restore", headers=signed_in),
        client.patch(f"{URL}{id}/stock?quantity=1", headers=signed_in),
    ):
        found = problem(answer, 404, "not_found")
        assert found["detail"] == f"Product with id {id} not found"
