"""Products for tests."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import Any

from project.db import fetch
from project.products import service
from project.products.models import Product

numbers = count(1)


def make_product(**values: Any) -> Product:
    """A stored product; `values` replace what it is made of."""
    made = {"name": f"Product {next(numbers)}", "price": Decimal("29.90")}
    return fetch(Product, service.create({**made, **values}).product_id)
