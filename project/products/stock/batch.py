"""Many movements at once: all of them or none, in two statements whatever their number.

A third counts what is held, where something may be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Integer,
    Row,
    String,
    TableValuedAlias,
    column,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import aliased

from project.db import db, revision
from project.products.models import MAX_STOCK, Product
from project.products.stock import events
from project.products.stock.claims import Line, claim, sums
from project.products.stock.ledger import MOVEMENTS, PRODUCTS, record
from project.products.stock.models import Movement

Told = Row[Movement, int, int | None]  # the movement; stock and threshold of its product after all
CELLS: dict[str, Any] = {
    "id": BigInteger,
    "quantity": Integer,
    "stock": Integer,
    "reason": String,
    "reference": String,
}


def write(
    lines: Sequence[Line], *, name: str = "movements", reserved: bool = False
) -> list[Movement]:
    """The movements of these lines, one each and in their order; raises BatchRefused.

    The lines of one product are summed before they are judged; see `claims.claim`.
    """
    stocks = claim(lines, name, reserved=reserved)
    order = sorted(range(len(lines)), key=lambda place: _goes_last(lines[place], stocks))
    written = _write([lines[place] for place in order], stocks)
    found = dict(zip(order, written, strict=True))
    told = [found[place] for place in range(len(lines))]
    _announce(told, sums(lines))
    return [movement for movement, _, _ in told]


def _goes_last(line: Line, stocks: Mapping[int, int]) -> bool:
    """What comes is written before what goes, so that no balance on the way is below zero; where
    the stock is so high that it could pass the maximum, the other way round.
    """
    high = stocks[line["product_id"]] > MAX_STOCK // 2
    return high if line["quantity"] > 0 else not high


def _write(lines: Sequence[Line], stocks: dict[int, int]) -> Sequence[Told]:
    """Move the stock of every product, and write every line, in one statement."""
    given = _table(lines, stocks)
    sums = select(given.c.id, func.sum(given.c.quantity).label("quantity")).group_by(given.c.id)
    total = sums.cte("total")
    changed = revision(
        Product, {"stock": Product.stock + total.c.quantity}, Product.id == total.c.id
    )
    after = (PRODUCTS.c[name] for name in ("id", "updated_at", "stock", "low_stock_threshold"))
    moved = changed.returning(*after).cte("moved")
    told = select(*(given.c[name] for name in CELLS), moved.c.updated_at)
    rows = told.join(moved, moved.c.id == given.c.id).order_by(given.c.place).subquery("rows")
    words: dict[str, Any] = {"reason": rows.c.reason, "reference": rows.c.reference}
    written = record(rows, rows.c.quantity, "adjustment", **words).returning(*MOVEMENTS.c)
    movement = aliased(Movement, written.cte("written"))
    answer = select(movement, moved.c.stock, moved.c.low_stock_threshold)
    answer = answer.join(moved, moved.c.id == movement.product_id)
    return db.session.execute(answer.order_by(movement.id)).all()


def _announce(told: Sequence[Told], totals: Mapping[int, int]) -> None:
    """Every movement; and what fell, once, since the lines of a product are one move down or up."""
    for movement, _, _ in told:
        events.moved(movement)
    left = {movement.product_id: (stock, threshold) for movement, stock, threshold in told}
    for id, (stock, threshold) in left.items():
        events.fell(id, stock - totals[id], stock, threshold)


def _table(lines: Sequence[Line], stocks: dict[int, int]) -> TableValuedAlias:
    """The lines as rows, each with the stock that it leaves."""
    rows = []
    for line in lines:
        stocks[line["product_id"]] += line["quantity"]
        rows.append({**line, "id": line["product_id"], "stock": stocks[line["product_id"]]})
    columns = [column(name, kind) for name, kind in CELLS.items()]
    cells = [literal([row.get(name) for row in rows], ARRAY(kind)) for name, kind in CELLS.items()]
    return func.unnest(*cells).table_valued(*columns, with_ordinality="place").render_derived()
