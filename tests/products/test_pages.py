"""Lists of products: every order is walked by cursor, and the total that triggers keep is exact."""

from __future__ import annotations

from decimal import Decimal

import pytest
from flask.testing import FlaskClient

from project.db import db
from project.http.app import App
from project.products.service import SORTABLE
from tests.http.test_pages import NAMES, get, walk
from tests.products.make import make_product

URL = "/api/v1/products/"


@pytest.fixture
def shelf(app: App, isolated: None) -> None:
    """Nine products with few distinct prices and stocks."""
    with app.app_context():
        for number, name in enumerate(NAMES):
            make_product(name=name, price=Decimal(1 + number % 3), stock=number % 2)
        db.session.commit()


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("sort", [*SORTABLE, *(f"-{name}" for name in SORTABLE), "-stock,price"])
@pytest.mark.parametrize("limit", [1, 4])
def test_a_walk_sees_every_product_once_in_order(
    client: FlaskClient, sort: str, limit: int
) -> None:
    whole = get(client, f"sort={sort}", URL)
    assert (whole["total"], len({item["id"] for item in whole["items"]})) == (9, 9)
    assert list(walk(client, f"sort={sort}&limit={limit}", URL)) == whole["items"]


@pytest.mark.usefixtures("shelf")
def test_a_page_and_a_cursor_keep_the_filters(client: FlaskClient) -> None:
    query = "sort=-name&in_stock=true&price_min=2"
    whole = get(client, query, URL)
    assert whole["total"] == len(whole["items"]) == 3
    assert list(walk(client, f"{query}&limit=1", URL)) == whole["items"]
    assert get(client, f"{query}&limit=1", URL)["total"] == 3
