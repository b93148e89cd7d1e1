"""What can be done with products."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any

from sqlalchemy import Select, Text, func, select

from project.db import Counts, Lookup, Shape, announce, fetch, matching, revise, revise_if
from project.products import counts
from project.products.models import Product
from project.products.stock import holds, ledger
from project.products.stock import service as stock

SORTABLE: dict[str, Any] = {
    "id": Product.id,
    "name": func.lower(Product.name, type_=Text()),  # people do not sort by code point
    "price": Product.price,
    "stock": Product.stock,
    "created_at": Product.created_at,
    "updated_at": Product.updated_at,
}

RECENT = 500  # questions: to build the statement of one takes longer than the rest of a request

COUNTS = Counts(
    {frozenset(): counts.total(False), frozenset({"active_only"}): counts.total(True)},
    version=counts.version(),
    lasting=frozenset({"q", "active_only"}),
)


@lru_cache(RECENT)
def search(
    q: str | None = None,
    active_only: bool = False,
    price_min: Decimal | None = None,
    price_max: Decimal | None = None,
    in_stock: bool | None = None,
) -> Select[Product]:
    """The products that answer the question; `q` is part of a name, in any case."""
    found = select(Product)
    if q is not None:
        found = found.where(matching(q, Product.name))
    if active_only:
        found = found.where(Product.is_active)
    if price_min is not None:
        found = found.where(Product.price >= price_min)
    if price_max is not None:
        found = found.where(Product.price <= price_max)
    if in_stock is not None:
        found = found.where(Product.stock > 0 if in_stock else Product.stock == 0)
    return found


def low(active_only: bool = False) -> Select[Product]:
    """The products of which there are no more than their threshold."""
    return search(active_only=active_only).where(Product.stock <= Product.low_stock_threshold)


def find(id: int) -> Lookup[Product]:
    """A product, inactive or not."""
    return Lookup(Product, id)


def create(values: dict[str, Any], shape: Shape | None = None) -> ledger.Created:
    """Take a product into the catalogue."""
    return ledger.open(values, shape)


def update(id: int, values: dict[str, Any], versions: Collection[int] | None = None) -> Product:
    """Change the fields sent; a stock among them goes through the ledger."""
    change = stock.update if "stock" in values else partial(revise, Product)
    product = change(id, values, versions)
    announce("product.updated", product_id=id, fields=sorted(values), version=product.version)
    return holds.look_again(product)


def delete(id: int, versions: Collection[int] | None = None) -> None:
    """Make a product inactive; its name stays taken. Doing it again changes nothing."""
    if revise_if(Product.is_active, Product, id, {"is_active": False}, versions):
        announce("product.deleted", product_id=id)


def restore(id: int) -> Product:
    """Make a product active again. Doing it again changes nothing."""
    restored = revise_if(~Product.is_active, Product, id, {"is_active": True})
    if restored is None:
        return fetch(Product, id)
    announce("product.updated", product_id=id, fields=["is_active"], version=restored.version)
    return holds.look_again(restored)
