"""What can be done with stock: move it, count it, take it back, and ask what it was."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from project.db import Lookup, Tagged, db, fetch
from project.errors import Conflict, Invalid, Stale
from project.products.models import Product
from project.products.stock import batch, claims, ledger
from project.products.stock.models import REVERSED, Movement

SORTABLE: dict[str, Any] = {"created_at": Movement.created_at, "id": Movement.id}
NEWEST = "-created_at,-id"
BatchRefused = claims.BatchRefused


class StockMoved(Stale):
    """The stock is not what the caller expected."""

    code = "stale_stock"


@dataclass(frozen=True)
class Balance:
    """What was in stock of a product at an instant."""

    product_id: int
    stock: int
    at: datetime


@dataclass(frozen=True)
class Batch(Tagged):
    """Movements that were written together, found by the first of them."""

    movements: Sequence[Movement]

    @property
    def id(self) -> int:
        return self.movements[0].id

    @property
    def version(self) -> int:
        return self.movements[0].version


def search(
    since: datetime | None = None, until: datetime | None = None, **equal: Any
) -> Select[Movement]:
    """The movements with these values, from `since` on and before `until`."""
    found = select(Movement).filter_by(**equal)
    if since is not None:
        found = found.where(Movement.created_at >= since)
    if until is not None:
        found = found.where(Movement.created_at < until)
    return found


def of_product(product_id: int, **query: Any) -> Select[Movement]:
    """The movements of a product; raises NotFound."""
    return search(product_id=fetch(Product, product_id).id, **query)


def find(id: int) -> Lookup[Movement]:
    """A movement."""
    return Lookup(Movement, id)


def balance(product_id: int, at: datetime | None = None) -> Balance:
    """What is in stock, or what was: the balance after the last movement until then.

    `now()` is when a statement or a transaction began, and the stock read after it may be younger.
    """
    began = db.session.scalars(select(func.now())).one()
    product = fetch(Product, product_id)
    now = max(began, product.updated_at)
    if at is None:
        return Balance(product_id, product.stock, now)
    if at > now:
        wrong = {"in": "query", "field": "at", "code": "in_future"}
        raise Invalid([{**wrong, "message": "Must not be in the future."}])
    balances = select(Movement.balance_after).where(Movement.product_id == product_id)
    until = balances.where(Movement.created_at <= at)
    last = until.order_by(Movement.created_at.desc(), Movement.id.desc()).limit(1)
    return Balance(product_id, db.session.scalar(last) or 0, at)


def adjust(
    product_id: int,
    quantity: int,
    *,
    expected_stock: int | None = None,
    **how: Any,
) -> ledger.Moved:
    """Add to the stock, or take from it; raises Refused, or StockMoved."""

    def moved(product: Product) -> None:
        if expected_stock not in (None, (stock := product.stock)):
            raise StockMoved(f"The stock of product {product_id} is {stock} now; read it again")

    how |= {"expected_stock": expected_stock, "unless": moved}
    return ledger.add(product_id, quantity, "adjustment", **how)


def move(lines: Sequence[claims.Line], **common: Any) -> Batch:
    """Write a movement for each line, or none; raises BatchRefused.

    common: what a line says that does not say it itself.
    """
    own = ({name: value for name, value in line.items() if value is not None} for line in lines)
    return Batch(batch.write([{**common, **said} for said in own]))


def count(product_id: int, counted: int, reason: str | None = None) -> Movement | None:
    """Set the stock to what was counted; None if it was right, and then nothing is written."""
    wrong = Product.stock != counted
    changed = ledger.put(product_id, {"stock": counted}, wrong, reason=reason)
    return None if changed is None else changed[1]


def reverse(id: int, **how: Any) -> ledger.Moved:
    """Take a movement back by its opposite; raises Refused, and Conflict the second time."""
    taken = fetch(Movement, id)

    def reversed(_: Product) -> None:
        if db.session.scalar(select(Movement.id).where(Movement.reverses_id == id)):
            raise Conflict(REVERSED.format(reverses_id=id), code="already_reversed")

    back = -taken.quantity
    return ledger.add(taken.product_id, back, "reversal", unless=reversed, reverses_id=id, **how)


def update(id: int, values: dict[str, Any], versions: Collection[int] | None = None) -> Product:
    """Change a product, its stock among the rest; raises NotFound and Stale."""
    changed = ledger.put(id, values, versions=versions)
    assert changed is not None  # because a row that is there, and ours, has nothing to refuse
    return changed[0]
