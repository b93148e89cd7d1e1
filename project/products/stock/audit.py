"""Whether the ledger adds up: every balance recomputed, in one pass over the whole database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, select

from project.db import db, lift_limits
from project.products.models import Product
from project.products.stock.models import Movement


@dataclass(frozen=True)
class Account:
    """A product beside what its movements add up to; `wrong` is the first that says otherwise."""

    product_id: int
    name: str
    stock: int
    total: int
    movements: int
    wrong: int | None

    @property
    def is_right(self) -> bool:
        return self.stock == self.total and self.wrong is None


def accounts() -> Iterator[Account]:
    """Every product, in the order of ids and as of one moment; needs a transaction."""
    lift_limits()
    running = func.sum(Movement.quantity).over(
        partition_by=Movement.product_id, order_by=Movement.id
    )
    lines = select(Movement, running.label("balance")).subquery()
    wrong = func.min(lines.c.id).filter(lines.c.balance_after != lines.c.balance)
    sums = (
        select(
            lines.c.product_id,
            func.sum(lines.c.quantity).label("total"),
            func.count().label("movements"),
            wrong.label("wrong"),
        )
        .group_by(lines.c.product_id)
        .subquery()
    )
    found = select(
        Product.id,
        Product.name,
        Product.stock,
        func.coalesce(sums.c.total, 0),
        func.coalesce(sums.c.movements, 0),
        sums.c.wrong,
    ).outerjoin(sums, sums.c.product_id == Product.id)
    rows = db.session.execute(found.order_by(Product.id), execution_options={"yield_per": 1000})
    yield from (Account(*row) for row in rows)
