"""The one writer of stock: what changes it and what the ledger says of it are one statement.

What is to be announced of it is announced here too, so that no path can forget it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    BigInteger,
    BindParameter,
    Column,
    ColumnElement,
    FromClause,
    Insert,
    Integer,
    Select,
    String,
    and_,
    any_,
    bindparam,
    cast,
    exists,
    insert,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import aliased

from project import origin
from project.db import (
    INT8,
    Answer,
    Lookup,
    Prepared,
    Shape,
    Written,
    announced,
    attempt,
    locked,
    named,
    note,
    revision,
    told,
)
from project.db.prepared import Row
from project.products.models import MAX_STOCK, NOTHING, Product
from project.products.stock import events, holds
from project.products.stock.models import Movement
from project.users import acting

PRODUCTS = Product.metadata.tables["products"]
MOVEMENTS = Movement.metadata.tables["stock_movements"]
SAID = ("reason", "reference", "reverses_id")  # what a line may say besides


class Created(NamedTuple):
    """A product that was made, and the document that was asked for of it."""

    product_id: int
    answer: Written | None = None


class Moved(NamedTuple):
    """A movement that was written; `answer` is what was asked for of it or of its product."""

    product_id: int
    movement_id: int
    answer: Written | Lookup[Product] | None = None


def record(
    of: FromClause,
    quantity: ColumnElement[int],
    kind: Any,
    by: Mapping[str, Any] | None = None,
    **said: Any,
) -> Insert:
    """The INSERT of a line for each product whose stock has changed by `quantity`.

    of: the products as they are after the change: their `id`, `stock` and `updated_at`.
    by: who has changed it, where the statement finds out; else whoever acts now.
    said: what else the lines say, such as a reason; a value, or a column of `of`.
    """
    said = {
        "product_id": of.c.id,
        "quantity": quantity,
        "balance_after": of.c.stock,
        "created_at": of.c.updated_at,
        "kind": kind,
        **(by or asdict(origin.current())),
        **said,
    }
    cells = (
        value if isinstance(value, ColumnElement) else literal(value, MOVEMENTS.c[name].type)
        for name, value in said.items()
    )
    return insert(MOVEMENTS).from_select([*said], select(*cells).where(quantity != 0))


def by_actor(actor: FromClause) -> dict[str, Any]:
    """Who writes a line, in a statement that has an actor."""
    request_id = bindparam("request_id", type_=String)
    return {"actor_id": actor.c.id, "actor_name": actor.c.name, "request_id": request_id}


def open(values: Mapping[str, Any], shape: Shape | None = None) -> Created:
    """Make a product, and begin the lines of what it comes with.

    One statement finds out who acts, and writes the product, its line and both events.
    """
    given = frozenset(values)

    def make() -> Row | None:
        claimed = origin.claimed() is not None
        return _opening(claimed, given, shape).first({**values, **acting.values()})

    if (row := make()) is None:
        origin.confirm()
        row = make()
        assert row is not None  # because whoever acts is there
    id, actor_name, movement_id, *_ = row
    acting.confirmed(actor_name)
    note("product.created", product_id=id, name=values["name"])
    if movement_id is not None:
        events.note_moved(movement_id, id, values["stock"], values["stock"], "opening")
    return Created(id, None if shape is None else Written(*row[-3:]))


@cache
def _opening(claimed: bool, given: frozenset[str], shape: Shape | None) -> Prepared:
    actor = acting.actor(claimed)
    cells = {name: parameter(PRODUCTS.c[name]) for name in sorted(given)}
    row = select(*cells.values()).select_from(actor)
    made = insert(PRODUCTS).from_select([*cells], row).returning(*PRODUCTS.c).cte("made")
    line = record(made, made.c.stock, "opening", by_actor(actor))
    written = line.returning(*MOVEMENTS.c).cte("written")
    created = told("product.created", {"product_id": made.c.id, "name": made.c.name})
    news = announced(created, events.told_moved(written), actor=actor).cte("told")
    found = select(made.c.id, actor.c.name, written.c.id)
    rows = made.join(actor, true()).outerjoin(written, true())
    if shape is not None:
        found = found.add_columns(*shape.of(made, Product, holds.none(made)))
    return Prepared(found.select_from(rows).add_cte(news))


def parameter(column: Column[Any]) -> BindParameter[Any]:
    """A parameter for a column, by its name; a text keeps its length, for the column to judge."""
    kind = String() if isinstance(column.type, String) else column.type
    return bindparam(column.name, type_=kind)


def add(
    id: int,
    quantity: int,
    kind: str,
    *,
    unless: Callable[[Product], object] | None = None,
    expected_stock: int | None = None,
    versions: Collection[int] | None = None,
    answer: Answer | None = None,
    **said: Any,
) -> Moved:
    """Add to the stock of a product, if the sum fits and all conditions hold; else raises Refused.

    One statement finds out who acts, judges the result, adds, and writes the line and the events:
    reading, adding and writing back would sell the last piece twice. Only where that says no,
    because of what is held perhaps, the row is locked and judged, and what was refused is done
    after all if it is possible.

    unless: looks at the locked row first, and may raise a better reason.
    answer: a model, and how a row of it is to be answered.
    """
    asked = {
        "id": id,
        "quantity": quantity,
        "kind": kind,
        "expected_stock": expected_stock,
        "versions": None if versions is None else sorted(versions),
        **said,
    }
    given = {name: value for name, value in asked.items() if value is not None}

    def move(*, judged: bool = False) -> Row | None:
        claimed = origin.claimed() is not None
        statement = _moving(claimed, frozenset(given), judged, answer)
        return statement.first({**given, **acting.values()})

    row = move() if id <= INT8 else None
    if row is None:
        origin.confirm()
        product = locked(Product, id, versions)
        if unless is not None:
            unless(product)
        taken = quantity < 0 and product.held_until is not None
        held = holds.of([id]).get(id, 0) if taken else 0
        if not held <= product.stock + quantity <= MAX_STOCK:
            raise holds.refusal(product.stock, quantity, held)
        row = move(judged=True)
        assert row is not None  # because the row is ours, and was judged
    return _moved(row, asked, answer)


@cache
def _moving(claimed: bool, given: frozenset[str], judged: bool, answer: Answer | None) -> Prepared:
    """The statement for what is given: what is not is no part of it, so that nothing judges it."""
    actor = acting.actor(claimed)
    quantity = bindparam("quantity", type_=Integer)
    which = [Product.id == bindparam("id"), exists(select(actor.c.id))]
    if not judged:
        fits = (cast(Product.stock, BigInteger) + quantity).between(NOTHING, MAX_STOCK)
        which.append(and_(fits, or_(quantity > NOTHING, holds.free())))
    if "expected_stock" in given:
        which.append(Product.stock == bindparam("expected_stock", type_=Integer))
    if "versions" in given:
        which.append(Product.version == any_(bindparam("versions", type_=ARRAY(BigInteger))))
    changed = revision(Product, {"stock": Product.stock + quantity}, *which)
    moved = changed.returning(*PRODUCTS.c).cte("moved")
    said = {name: parameter(MOVEMENTS.c[name]) for name in ("kind", *SAID) if name in given}
    line = record(moved, quantity, by=by_actor(actor), **said)
    written = line.returning(*MOVEMENTS.c).cte("written")
    before = moved.c.stock - quantity
    news = announced(events.told_moved(written), events.told_fell(moved, before), actor=actor).cte(
        "told"
    )
    found = select(
        *(moved.c.stock, moved.c.low_stock_threshold, moved.c.held_until.is_not(None)),
        *(actor.c.name, written.c.id),
    )
    rows = moved.join(written, true()).join(actor, true())
    if answer is not None:
        model, shape = answer
        source = moved if model is Product else written
        known = holds.none(moved) if model is Product else {}
        found = found.add_columns(*shape.of(source, model, known))
    return Prepared(found.select_from(rows).add_cte(news))


def _moved(row: Row, asked: Mapping[str, Any], answer: Answer | None) -> Moved:
    """What has been done, with lines of the log to follow the commit."""
    id, quantity, kind = asked["id"], asked["quantity"], asked["kind"]
    stock, threshold, held, actor_name, movement_id, *_ = row
    acting.confirmed(actor_name)
    words = asked.get("reason"), asked.get("reference")
    events.note_moved(movement_id, id, quantity, stock, kind, *words)
    if events.falls(stock - quantity, stock, threshold):
        note("stock.low", product_id=id, stock=stock, threshold=threshold)
    if answer is None:
        return Moved(id, movement_id)
    if held and answer[0] is Product:  # counted before this waited for its row, perhaps
        return Moved(id, movement_id, Lookup(Product, id))
    return Moved(id, movement_id, Written(*row[-3:]))


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
