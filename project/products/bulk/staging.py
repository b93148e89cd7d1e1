"""The temporary table in which rows wait to be judged, next to what was refused of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable, DropTable

from project.db import db
from project.errors import Invalid
from project.products.bulk.sheet import FIELDS, Sheet
from project.products.models import Product

BATCH = 1_000  # rows

PRODUCTS = Product.metadata.tables["products"]
[TAKEN] = [c.info["rule"] for c in PRODUCTS.constraints if isinstance(c, sa.UniqueConstraint)]

STAGED = sa.Table(
    "product_rows",
    sa.MetaData(),
    sa.Column("line", sa.BigInteger),
    *(sa.Column(field, PRODUCTS.c[field].type) for field in FIELDS),
    *(sa.Column(found, sa.BigInteger) for found in ("product_id", "stock_before")),
    *(sa.Column(part, sa.Text) for part in ("field", "code", "message")),
    schema="pg_temp",
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
GOOD = STAGED.c.message.is_(None)

# JSON is as fast as COPY here, and the engine still translates what the driver complains of.
FILL = sa.text(
    f"INSERT INTO {STAGED} SELECT * FROM json_populate_recordset(CAST(NULL AS {STAGED}), :rows)"
)

Validate = Callable[[Mapping[str, Any]], dict[str, Any]]


def stage(sheet: Sheet, validate: Validate) -> None:
    """Fill the table, a batch at a time: neither file nor report is ever in memory."""
    db.session.execute(DropTable(STAGED, if_exists=True))
    db.session.execute(CreateTable(STAGED))
    rows = _judged(sheet, validate)
    while batch := list(islice(rows, BATCH)):
        db.session.execute(FILL, {"rows": json.dumps(batch, default=str)})
    db.session.execute(sa.text(f"ANALYZE {STAGED}"))


def refuse_taken(*rows: sa.ColumnElement[bool]) -> None:
    """Refuse good rows with the sentence of the unique rule."""
    message = sa.func.replace(TAKEN.sentence, "{name}", STAGED.c.name)
    refused = {"field": "name", "code": TAKEN.code, "message": message}
    run(sa.update(STAGED).where(GOOD, *rows).values(refused))


def refuse_repeated() -> None:
    """Refuse all good rows of a name but the first."""
    firsts = sa.select(STAGED.c.name, sa.func.min(STAGED.c.line).label("line"))
    first = firsts.where(GOOD).group_by(STAGED.c.name).subquery()
    refuse_taken(STAGED.c.name == first.c.name, STAGED.c.line > first.c.line)


def refused() -> int:
    """How many rows were refused, for however many reasons."""
    lines = sa.select(sa.func.count(STAGED.c.line.distinct())).where(~GOOD)
    return db.session.scalar(lines) or 0


def reasons() -> int:
    """How many reasons there were."""
    return db.session.scalar(sa.select(sa.func.count()).where(~GOOD)) or 0


def refusals(most: int | None = None) -> Iterator[sa.Row[int, str, str, str]]:
    """Line, field, code and message of what the last load of this transaction refused."""
    reasons = sa.select(*(STAGED.c[part] for part in ("line", "field", "code", "message")))
    told = reasons.where(~GOOD).order_by(STAGED.c.line, STAGED.c.field).limit(most)
    yield from db.session.execute(told, execution_options={"yield_per": BATCH})


def run(statement: sa.Update) -> int:
    """How many rows the statement met."""
    return db.session.connection().execute(statement).rowcount


def _judged(sheet: Sheet, validate: Validate) -> Iterator[dict[str, Any]]:
    """A good row once, with its values; a refused one once for every reason."""
    for line, cells in sheet.rows():
        try:
            yield {"line": line, **validate(sheet.document(cells))}
        except Invalid as refusal:
            yield from ({**error, "line": line} for error in refusal.members["errors"])
