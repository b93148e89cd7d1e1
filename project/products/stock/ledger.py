"""The one writer of stock: what changes it and what the ledger says of it are one statement.

What is to be announced of it is announced here too, so that no path can forget it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Insert,
    Integer,
    Select,
    cast,
    insert,
    literal,
    select,
)
from sqlalchemy.orm import aliased

from project import origin
from project.db import attempt, db, named, revision
from project.products.models import MAX_STOCK, Product
from project.products.stock import events, holds
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
    unless: Callable[[Product], object] | None = None,
    versions: Collection[int] | None = None,
    **told: Any,
) -> tuple[Product, Movement]:
    """Add to the stock of a product, if the sum fits and all conditions hold; else raises Refused.

    The statement that adds judges the result: reading, adding and writing back would sell the last
    piece twice. Only where that says no, because of what is held perhaps, the row is locked and
    judged, and what was refused is done after all if it is possible.

    unless: looks at the locked row first, and may raise a better reason.
    """

    def moving(*limits: ColumnElement[bool]) -> Select[Product, Movement]:
        which = (*named(Product, id, versions), *limits, *conditions)
        changed = revision(Product, {"stock": Product.stock + quantity}, *which)
        moved = changed.returning(*PRODUCTS.c).cte("moved")
        return _both(moved, record(moved, literal(quantity, Integer), kind, **told))

    def judged(product: Product) -> Select[Product, Movement]:
        if unless is not None:
            unless(product)
        taken = quantity < 0 and product.held_until is not None
        held = holds.of([id]).get(id, 0) if taken else 0
        if not held <= product.stock + quantity <= MAX_STOCK:
            raise holds.refusal(product.stock, quantity, held)
        return moving()

    fits = (cast(Product.stock, BigInteger) + quantity).between(0, MAX_STOCK)
    first = moving(fits) if quantity > 0 else moving(fits, holds.free())
    row: Any = attempt(first, Product, id, versions, judged)
    assert row is not None  # because the row is ours, and `judged` has found nothing to refuse
    return _told(row)


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
    row: Any = attempt(_both(moved, line), Product, id, versions)
    return None if row is None else _told(row)


def _both(moved: CTE, line: Insert) -> Select[Product, Movement]:
    """Run both, which is all or nothing, and answer the product and its line."""
    written = line.returning(*MOVEMENTS.c).cte("written")
    product, movement = aliased(Product, moved), aliased(Movement, written)
    return select(product, movement).outerjoin(movement, movement.product_id == product.id)


def _told(row: Any) -> tuple[Product, Any]:
    """The product and its line, which are announced."""
    product, movement = row
    if movement is not None:
        events.moved(movement)
        before = product.stock - movement.quantity
        events.fell(product.id, before, product.stock, product.low_stock_threshold)
    return product, movement
