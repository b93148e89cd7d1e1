"""What of the stock is kept for somebody: judged where stock is taken, told where it is held.

A sum over holds inside an UPDATE that waited for its row would be the sum of before it waited,
so a product itself says until when any of it may be held. Whoever changes holds locks their
products first, in the order of ids. So whoever has locked a product, and counts in a later
statement, counts what is held now.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, FromClause, func, or_, select, update
from sqlalchemy.orm.attributes import set_committed_value

from project.db import db, tag_of
from project.errors import Refused
from project.products.models import MAX_STOCK, Hold, Product


def free() -> ColumnElement[bool]:
    """Whether nothing of a product is held, as its own row says."""
    return or_(Product.held_until.is_(None), Product.held_until <= func.clock_timestamp())


def none(products: FromClause) -> dict[str, ColumnElement[Any]]:
    """What is told of rows of which nothing is held; that the statement need not look."""
    return {"available": products.c.stock, "tag": tag_of(products.c)}


def of(ids: Collection[int]) -> dict[int, int]:
    """How many are held of each of these products, which an earlier statement has locked."""
    now = func.statement_timestamp()
    found = select(Hold.product_id, func.sum(Hold.quantity))
    found = found.where(Hold.product_id.in_(ids), Hold.until > now).group_by(Hold.product_id)
    return dict(db.session.execute(found).all())


def look_again(product: Product) -> Product:
    """A product that was written just now, with what is held of it: where the statement that wrote
    had to wait for it, that was counted before.
    """
    if product.held_until is not None:
        set_committed_value(product, "held", of([product.id]).get(product.id, 0))
    return product


def renew(ids: Collection[int]) -> None:
    """Let these products, which are locked, say until when any of them is held.

    Neither their version counts that nor their `updated_at`: the products are what they were.
    """
    last = select(func.max(Hold.until)).where(Hold.product_id == Product.id)
    held = last.where(Hold.until > func.statement_timestamp()).scalar_subquery()
    changed = update(Product).where(Product.id.in_(ids)).values(held_until=held)
    db.session.execute(changed, execution_options={"synchronize_session": False})


def refusal(stock: int, quantity: int, held: int = 0) -> Refused:
    """Why this quantity cannot be added to this stock, of which so many are held."""
    if quantity > 0:
        return Refused(f"Stock would exceed {MAX_STOCK}", code="stock_limit")
    reserved = f"Reserved: {held}, " if held else ""
    sentence = f"Insufficient stock. Current: {stock}, {reserved}Requested: {-quantity}"
    return Refused(sentence, code="insufficient_stock")
