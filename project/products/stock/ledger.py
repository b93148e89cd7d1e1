"""The one writer of stock: what changes it and what the ledger says of it are one statement.

What is to be announced of it is announced here too, so that no path can forget it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Insert,
    Integer,
    cast,
    insert,
    literal,
    select,
)
from sqlalchemy.orm import aliased

from project import origin
from project.db import attempt, db, named, revision
from project.errors import Refused
from project.products.models import MAX_STOCK, Product
from project.products.stock import events
from project.products.stock.models import Movement

PRODUCTS = Product.metadata.tables["products"]
MOVEMENTS = Movement.metadata.tables["stock_movements"]


def record(of: FromClause, quantity: ColumnElement[int], kind: str, **told: Any) -> Insert:
    """The INSERT of a line for each product whose stock has changed by `quantity`.

    of: the products as they are after the change: their `id`, `stock` and `updated_at`.
    told: what else the lines say, such as a reason; a value, or a column of `of`.
    """
    source = origin.current()
    told = {
        "product_id": of.c.id,
        "quantity": quantity,
        "balance_after": of.c.stock,
        "created_at": of.c.updated_at,
        "kind": kind,
        "actor_id": source.actor_id,
        "actor_name": source.actor_name,
        "request_id": source.request_id,
        **told,
    }
    cells = (
        value if isinstance(value, ColumnElement) else literal(value, MOVEMENTS.c[name].type)
        for name, value in told.items()
    )
    return insert(MOVEMENTS).from_select([*told], select(*cells).where(quantity != 0))


def open(product: Product) -> None:
    """Begin the lines of a new product with what it comes with."""
    if product.stock:
        new = select(PRODUCTS).where(PRODUCTS.c.id == product.id).subquery()
        line = record(new, new.c.stock, "opening").returning(*MOVEMENTS.c)
        events.moved(db.session.execute(line).one())


def add(
    id: int,
    quantity: int,
    kind: str,
    *conditions: ColumnElement[bool],
    versions: Collection[int] | None = None,
    **told: Any,
) -> tuple[Product, Movement] | None:
    """Add to the stock of a product, if the sum fits and all conditions hold; else None.

    The statement that adds judges the result: reading, adding and writing back would sell the last
    piece twice.
    """
    after = cast(Product.stock, BigInteger) + quantity
    which = (*named(Product, id, versions), after.between(0, MAX_STOCK), *conditions)
    changed = revision(Product, {"stock": Product.stock + quantity}, *which)
    moved = changed.returning(*PRODUCTS.c).cte("moved")
    line = record(moved, literal(quantity, Integer), kind, **told)
    answer: tuple[Product, Movement] | None = _answer(moved, line, id, versions)
    return answer


def put(
    id: int,
    values: dict[str, Any],
    *conditions: ColumnElement[bool],
    versions: Collection[int] | None = None,
    **told: Any,
) -> tuple[Product, Movement | None] | None:
    """Change a product and set its stock, if all conditions hold; else None.

    The statement that sets locks the row before it reads it, so the difference is the moment's.
    """
    found = select(Product.id, Product.stock).where(Product.id == id)
    held = found.with_for_update(key_share=True).cte("held")
    which = (*named(Product, id, versions), Product.id == held.c.id, *conditions)
    changed = revision(Product, values, *which)
    moved = changed.returning(*PRODUCTS.c, held.c.stock.label("before")).cte("moved")
    line = record(moved, moved.c.stock - moved.c.before, "count", **told)
    answer: tuple[Product, Movement | None] | None = _answer(moved, line, id, versions)
    return answer


def refusal(stock: int, quantity: int) -> Refused:
    """Why this quantity cannot be added to this stock."""
    if quantity > 0:
        return Refused(f"Stock would exceed {MAX_STOCK}", code="stock_limit")
    sentence = f"Insufficient stock. Current: {stock}, Requested: {-quantity}"
    return Refused(sentence, code="insufficient_stock")


def _answer(moved: CTE, line: Insert, id: int, versions: Collection[int] | None) -> Any:
    """Run both, which is all or nothing; announce and answer the product and its line."""
    written = line.returning(*MOVEMENTS.c).cte("written")
    product, movement = aliased(Product, moved), aliased(Movement, written)
    both = select(product, movement).outerjoin(movement, movement.product_id == product.id)
    row: Any = attempt(both, Product, id, versions)
    if row is not None and row[1] is not None:
        after, told = row
        events.moved(told)
        events.fell(id, after.stock - told.quantity, after.stock, after.low_stock_threshold)
    return row
