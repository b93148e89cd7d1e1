"""What is announced of stock: each movement, and each fall to the threshold or below it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Row, Select

from project.db import announce, note, told
from project.products.stock.models import Movement

SAID = ("product_id", "quantity", "balance_after", "kind", "reason", "reference")


def moved(movement: Movement | Row[Any]) -> None:
    """A movement was written."""
    said = {name: getattr(movement, name) for name in SAID}
    announce("stock.adjusted", movement_id=movement.id, **said)


def note_moved(
    id: int,
    product_id: int,
    quantity: int,
    balance_after: int,
    kind: str,
    reason: str | None = None,
    reference: str | None = None,
) -> None:
    """A statement wrote a movement and told of it; so does the log, after the commit."""
    said = product_id, quantity, balance_after, kind, reason, reference
    note("stock.adjusted", movement_id=id, **dict(zip(SAID, said, strict=True)))


def falls(before: int, stock: int, threshold: int | None) -> bool:
    """Whether it was above the threshold, and is no longer."""
    return threshold is not None and stock <= threshold < before


def fell(product_id: int, before: int, stock: int, threshold: int | None) -> None:
    """The stock was another; it is told of if it falls.

    All three as the statement that moved it returned them: what is read a moment later may
    miss the fall, or see that of somebody else.
    """
    if falls(before, stock, threshold):
        announce("stock.low", product_id=product_id, stock=stock, threshold=threshold)


def told_moved(movements: FromClause) -> Select[Any]:
    """The event of each of these rows, for a statement that writes them."""
    said = {name: movements.c[name] for name in SAID}
    return told("stock.adjusted", {"movement_id": movements.c.id, **said})


def told_fell(products: FromClause, before: ColumnElement[int]) -> Select[Any]:
    """The event of each row whose stock fell; before: the stock before it."""
    stock, threshold = products.c.stock, products.c.low_stock_threshold
    said = {"product_id": products.c.id, "stock": stock, "threshold": threshold}
    return told("stock.low", said).where(stock <= threshold, threshold < before)
