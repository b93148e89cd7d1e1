"""PATCH /products/{id}/stock: exact sentences, and what is refused moves nothing."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from project.db import db
from project.http.app import App
from tests.products.make import make_product

URL = "/api/v1/products/"


@pytest.fixture
def lamp(app: App, isolated: None) -> str:
    """The address of a product with five in stock."""
    with app.app_context():
        id = make_product(stock=5).id
        db.session.commit()
    return f"{URL}{id}"


@pytest.mark.parametrize(("quantity", "stock"), [(3, 8), (-5, 0), (1_000_000, 1_000_005), (-1, 4)])
def test_a_quantity_is_added_and_the_product_answered(
    client: FlaskClient, signed_in: dict[str, str], lamp: str, quantity: int, stock: int
) -> None:
    answer = client.patch(f"{lamp}/stock?quantity={quantity}&reason=%20sold ", headers=signed_in)
    assert answer.status_code == 200
    assert answer.json is not None
    assert (answer.json["stock"], answer.json["version"]) == (stock, 2)
    assert answer.headers["ETag"] == f'"{answer.json["id"]}-2"'
    assert client.get(lamp).json == answer.json


@pytest.mark.parametrize(
    ("quantity", "detail", "code"),
    [
        (-10, "Insufficient stock. Current: 5, Requested: 10", "insufficient_stock"),
        (-6, "Insufficient stock. Current: 5, Requested: 6", "insufficient_stock"),
        (-1_000_000, "Insufficient stock. Current: 5, Requested: 1000000", "insufficient_stock"),
    ],
)
def test_what_is_not_there_cannot_be_taken(
    client: FlaskClient, signed_in: dict[str, str], lamp: str, quantity: int, detail: str, code: str
) -> None:
    answer = client.patch(f"{lamp}/stock?quantity={quantity}", headers=signed_in)
    assert answer.status_code == 400
    assert answer.json == {
        "type": "/problems/insufficient-stock",
        "title": "Insufficient stock",
        "status": 400,
        "detail": detail,
        "code": code,
        "request_id": answer.headers["X-Request-Id"],
    }
    after = client.get(lamp).json
    assert after is not None
    assert (after["stock"], after["version"]) == (5, 1)


def test_stock_never_exceeds_its_column(
    client: FlaskClient, signed_in: dict[str, str], lamp: str
) -> None:
    client.put(lamp, json={"stock": 2147483646}, headers=signed_in)
    assert client.patch(f"{lamp}/stock?quantity=1", headers=signed_in).status_code == 200
    answer = client.patch(f"{lamp}/stock?quantity=1", headers=signed_in)
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["detail"] == "Stock would exceed 2147483647"


WRONG = ["", "quantity=", "quantity=0", "quantity=-0", "quantity=1000001", "quantity=-1000001"]
WRONG += ["quantity=1.0", "quantity=1e3", "quantity=abc", "quantity=1_000", "quantity=٣"]
WRONG += ["quantity=%2B5", "quantity=+5", "quantity=5%00", "quantity=1&quantity=2", "quantity=true"]
WRONG += ["quantity=99999999999999999999999", f"quantity=1&reason={'x' * 256}", "quantity=1&why=x"]
WRONG += ["quantity=1&reason=%00", "quantity=1&reason=%FF", "quantity=0x10", "quantity=- 1"]


@pytest.mark.parametrize("query", WRONG, ids=lambda query: query[:30])
def test_a_wrong_quantity_is_refused_and_moves_nothing(
    client: FlaskClient, signed_in: dict[str, str], lamp: str, query: str
) -> None:
    answer = client.patch(f"{lamp}/stock?{query}", headers=signed_in)
    assert answer.status_code == 422
    assert answer.json is not None
    assert {error["in"] for error in answer.json["errors"]} == {"query"}
    after = client.get(lamp).json
    assert after is not None
    assert after["stock"] == 5
