"""What is announced of stock: each movement, and each fall to the threshold or below it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Insert, Row, func, select

from project.db import announce, announced
from project.products.stock.models import Movement

SAID = ("product_id", "quantity", "balance_after", "kind", "reason", "reference")


def moved(movement: Movement | Row[Any]) -> None:
    """A movement was written."""
    said = {name: getattr(movement, name) for name in SAID}
    announce("stock.adjusted", movement_id=movement.id, **said)


def fell(product_id: int, before: int, stock: int, threshold: int | None) -> None:
    """The stock was another; it is told of if it was above the threshold, and is no longer.

    All three as the statement that moved it returned them: what is read a moment later may
    miss the fall, or see that of somebody else.
    """
    if threshold is not None and stock <= threshold < before:
        announce("stock.low", product_id=product_id, stock=stock, threshold=threshold)


def all_moved(movements: FromClause) -> Insert:
    """As `moved`, of every row, for a statement that writes many."""
    told = {"movement_id": movements.c.id, **{name: movements.c[name] for name in SAID}}
    return announced("stock.adjusted", document(told), movements)


def all_fell(products: FromClause, before: ColumnElement[int]) -> Insert:
    """As `fell`, of every row; before: the stock before it, a column of it."""
    stock, threshold = products.c.stock, products.c.low_stock_threshold
    fallen = select(products).where(stock <= threshold, threshold < before).subquery("fallen")
    told = {"product_id": fallen.c.id, "stock": fallen.c.stock}
    told["threshold"] = fallen.c.low_stock_threshold
    return announced("stock.low", document(told), fallen)


def document(told: Mapping[str, Any]) -> ColumnElement[Any]:
    """The data of an event, made of columns."""
    return func.jsonb_build_object(*chain.from_iterable(told.items()))
