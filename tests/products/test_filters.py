"""What a list can be asked to leave out, spelled in a query string."""

from __future__ import annotations

from decimal import Decimal

import pytest
from flask.testing import FlaskClient

from project.db import db
from project.http.app import App
from tests.products.make import make_product

URL = "/api/v1/products/"


def found(client: FlaskClient, query: str = "", url: str = f"{URL}search/") -> list[str]:
    answer = client.get(f"{url}{query}")
    assert answer.status_code == 200, answer.text
    assert answer.json is not None
    assert answer.json["total"] == len(answer.json["items"])
    return [item["name"] for item in answer.json["items"]]


@pytest.fixture
def prices(app: App, isolated: None) -> None:
    with app.app_context():
        make_product(name="a1", price=Decimal("0.01"), stock=1)
        make_product(name="a2", price=Decimal("5.00"), stock=0)
        make_product(name="a3", price=Decimal("5.01"), stock=7, is_active=False)
        make_product(name="b4", price=Decimal("99999999.99"), stock=0, is_active=False)
        db.session.commit()


@pytest.mark.usefixtures("prices")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "a1 a2 a3 b4"),
        ("active_only=false", "a1 a2 a3 b4"),
        ("active_only=true", "a1 a2"),
        ("in_stock=true", "a1 a3"),
        ("in_stock=false", "a2 b4"),
        ("price_min=5", "a2 a3 b4"),
        ("price_min=5.01", "a3 b4"),
        ("price_max=5.00", "a1 a2"),
        ("price_min=0&price_max=0", ""),
        ("price_min=5&price_max=5", "a2"),
        ("price_min=6&price_max=5", ""),
        ("price_max=99999999.99", "a1 a2 a3 b4"),
        ("price_min=99999999.99", "b4"),
        ("active_only=true&in_stock=true&price_max=1", "a1"),
    ],
)
def test_filters_narrow_lists_and_searches_alike(
    client: FlaskClient, query: str, names: str
) -> None:
    assert found(client, f"?{query}", URL) == names.split()
    assert found(client, f"?q=A&{query}") == [n for n in names.split() if n.startswith("a")]


@pytest.mark.parametrize(
    "query",
    [
        *["active_only=1", "active_only=", "active_only=True", "active_only=yes", "in_stock=0"],
        *["in_stock=null", "price_min=-1", "price_min=1.999", "price_min=NaN", "price_min=1e2"],
        *["price_min=100000000", "price_max=", "price_max=%D9%A5", "price_max=1_0", "price_max=+1"],
        f"price_max={'9' * 3000}",
    ],
    ids=lambda query: query[:24],
)
def test_a_wrong_filter_is_refused(client: FlaskClient, query: str) -> None:
    answer = client.get(f"{URL}?{query}")
    assert answer.status_code == 422
    [error] = (answer.json or {})["errors"]
    assert (error["in"], error["field"]) == ("query", query.partition("=")[0])
