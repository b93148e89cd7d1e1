"""Products for tests."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import Any

from project.db import save
from project.products.models import Product
from project.products.stock import ledger

numbers = count(1)


def make_product(**values: Any) -> Product:
    """A stored product; `values` replace what it is made of."""
    made = {"name": f"Product {next(numbers)}", "price": Decimal("29.90")}
    product = save(Product(**{**made, **values}))
    ledger.open(product)
    return product
