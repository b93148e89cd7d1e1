"""What is announced of stock: each movement, and each fall to the threshold or below it."""

from __future__ import annotations

from project.db import announce
from project.products.stock.models import Movement

SAID = ("product_id", "quantity", "balance_after", "kind", "reason", "reference")


def moved(movement: Movement) -> None:
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
