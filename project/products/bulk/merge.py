"""The rows that wait become products, in three statements whatever their number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from project.db import announce, announced, db, lift_limits, revision, told
from project.products.bulk import staging
from project.products.bulk.sheet import FIELDS, Sheet
from project.products.bulk.staging import GOOD, PRODUCTS, STAGED, Rules
from project.products.models import Product
from project.products.stock.events import told_fell, told_moved
from project.products.stock.ledger import MOVEMENTS, record

HOMELESS = GOOD & STAGED.c.product_id.is_(None)
DEFAULTS = {
    c.name: c.server_default.arg
    for c in PRODUCTS.c
    if c.name in FIELDS and isinstance(c.server_default, sa.DefaultClause)
}


@dataclass(frozen=True)
class Loaded:
    """How many rows are new products, change one, change nothing about one, or are refused."""

    new: int
    changed: int
    unchanged: int
    refused: int


def load(sheet: Sheet, validate: Rules, *, update: bool = False) -> Loaded:
    """Take the good rows into the catalogue; `refusals()` tells of the others.

    validate: the values of one document; raises Invalid.
    update: a row whose name is taken changes that product instead of being refused.
    """
    lift_limits()
    staging.stage(sheet, validate)
    staging.refuse_repeated()
    _take_turns()
    found = _find() if update else 0
    changed = _change(sheet.places) if found else 0
    new = _insert()
    loaded = Loaded(new, changed, found - changed, staging.refused())
    announce("products.imported", **asdict(loaded))
    return loaded


def _take_turns() -> None:
    """Two imports of the same names in different orders would wait for each other for ever."""
    turn = sa.func.hashtext("products.import")
    db.session.execute(sa.select(sa.func.pg_advisory_xact_lock(turn)))


def _find() -> int:
    """Hold the products that are there already, in the order of ids as every batch does."""
    held = (
        sa.select(PRODUCTS.c.id, PRODUCTS.c.name, PRODUCTS.c.stock)
        .join(STAGED, STAGED.c.name == PRODUCTS.c.name)
        .where(GOOD)
        .order_by(PRODUCTS.c.id)
        .with_for_update(of=PRODUCTS)
        .cte("held")
    )
    found = sa.update(STAGED).where(GOOD, STAGED.c.name == held.c.name)
    known = found.values(product_id=held.c.id, stock_before=held.c.stock)
    return db.session.connection().execute(known).rowcount


def _change(fields: Iterable[str]) -> int:
    """Write what differs, and only that: an untouched product keeps its version.

    A stock that differs is a count, told to the ledger in the same statement, which announces too
    what it has done.
    """
    given = _cells(fields, PRODUCTS.c)
    differs = (PRODUCTS.c[field].is_distinct_from(cell) for field, cell in given.items())
    changed = revision(Product, given, PRODUCTS.c.id == STAGED.c.product_id, sa.or_(*differs))
    after = ("id", "version", "stock", "low_stock_threshold", "updated_at")
    columns = [*(PRODUCTS.c[name] for name in after), STAGED.c.stock_before]
    moved = changed.returning(*columns).cte("moved")
    counted = record(moved, moved.c.stock - moved.c.stock_before, "count")
    lines = counted.returning(*MOVEMENTS.c).cte("lines")
    data = {"product_id": moved.c.id, "fields": sa.cast(sorted(given), JSONB)}
    updated = told("product.updated", {**data, "version": moved.c.version})
    news = announced(updated, told_moved(lines), told_fell(moved, moved.c.stock_before)).cte()
    return db.session.scalar(sa.select(sa.func.count()).select_from(moved).add_cte(news)) or 0


def _insert() -> int:
    """Insert and let the unique rule decide: whoever was faster keeps the name, ours is refused.

    What new products come with is told to the ledger in the same statement, and they are announced.
    """
    given = _cells(FIELDS, DEFAULTS).values()
    rows = sa.select(*given).where(HOMELESS).order_by(STAGED.c.line)
    made = (
        insert(PRODUCTS)
        .from_select(FIELDS, rows)
        .on_conflict_do_nothing(index_elements=["name"])
        .returning(PRODUCTS.c.id, PRODUCTS.c.name, PRODUCTS.c.stock, PRODUCTS.c.updated_at)
        .cte("made")
    )
    lines = record(made, made.c.stock, "opening").returning(*MOVEMENTS.c).cte("lines")
    created = told("product.created", {"product_id": made.c.id, "name": made.c.name})
    news = announced(created, told_moved(lines)).cte()
    refused = staging.taken(HOMELESS, ~sa.exists().where(made.c.name == STAGED.c.name))
    rest = (news, refused.cte())
    return db.session.scalar(sa.select(sa.func.count()).select_from(made).add_cte(*rest)) or 0


def _cells(fields: Iterable[str], otherwise: Any) -> dict[str, sa.ColumnElement[Any]]:
    """The values of a row, and `otherwise` where a cell may stay empty without meaning null."""
    return {
        field: sa.func.coalesce(STAGED.c[field], otherwise[field])
        if field in DEFAULTS
        else STAGED.c[field]
        for field in fields
    }
