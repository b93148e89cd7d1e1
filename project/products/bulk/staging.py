"""The temporary table in which rows wait to be judged, next to what was refused of them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable, DropTable

from project.db import copy_in, db
from project.errors import Invalid
from project.products.bulk.sheet import FIELDS, Sheet
from project.products.models import Product

BATCH = 1_000  # rows that are read at once
PIECE = 2**18  # characters that are copied at once, or as many as one row has

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


class Rules(Protocol):
    """What a row must be: called with one, it answers the values, or raises Invalid.

    plain: for each field a regular expression of cells that are good; its group is the value.
    """

    @property
    def plain(self) -> Mapping[str, str]: ...

    def __call__(self, document: Mapping[str, Any]) -> dict[str, Any]: ...


def stage(sheet: Sheet, validate: Rules) -> None:
    """Fill the table, a piece at a time: neither file nor report is ever in memory."""
    db.session.execute(DropTable(STAGED, if_exists=True))
    db.session.execute(CreateTable(STAGED))
    columns = ("line", *sheet.places, "field", "code", "message")
    for piece in _pieces(_judged(sheet, validate)):
        copy_in(STAGED, columns, piece)
    db.session.execute(
        sa.text(f"ANALYZE {STAGED} (name, product_id, message)")
    )  # what is joined by


def refuse_repeated() -> None:
    """Refuse all good rows of a name but the first."""
    first = (
        sa.select(STAGED.c.name, sa.func.min(STAGED.c.line).label("line"))
        .where(GOOD)
        .group_by(STAGED.c.name)
        .having(sa.func.count() > 1)
        .subquery()
    )
    db.session.execute(taken(STAGED.c.name == first.c.name, STAGED.c.line > first.c.line))


def taken(*rows: sa.ColumnElement[bool]) -> sa.Update:
    """The UPDATE that refuses good rows with the sentence of the unique rule."""
    message = sa.func.replace(TAKEN.sentence, "{name}", STAGED.c.name)
    refused = {"field": "name", "code": TAKEN.code, "message": message}
    return sa.update(STAGED).where(GOOD, *rows).values(refused)


def refused() -> int:
    """How many rows were refused, for however many reasons."""
    lines = sa.select(sa.func.count(STAGED.c.line.distinct())).where(~GOOD)
    return db.session.scalar(lines) or 0


def reasons() -> int:
    """How many reasons there were."""
    return db.session.scalar(sa.select(sa.func.count()).where(~GOOD)) or 0


def refusals(most: int | None = None) -> Iterator[sa.Row[int, str, str, str]]:
    """Line, field, code and message of what the last load of this transaction refused."""
    field = sa.func.coalesce(STAGED.c.field, "").label("field")  # a row as a whole has none
    reasons = sa.select(STAGED.c.line, field, STAGED.c.code, STAGED.c.message)
    told = reasons.where(~GOOD).order_by(STAGED.c.line, STAGED.c.field).limit(most)
    yield from db.session.execute(told, execution_options={"yield_per": BATCH})


def _judged(sheet: Sheet, validate: Rules) -> Iterator[Sequence[Any]]:
    """A good row once, with its values; a refused one once for every reason.

    What the rules know to be plain is not brought before them: nearly all there is.
    """
    plain = sheet.plain(validate.plain)
    nothing = (None,) * len(sheet.places)
    for line, cells in sheet.rows():
        if picked := plain(cells):
            yield line, *picked, None, None, None
            continue
        try:
            values = validate(sheet.document(cells))
            yield line, *map(values.get, sheet.places), None, None, None
        except Invalid as refusal:
            for error in refusal.members["errors"]:
                yield line, *nothing, error["field"], error["code"], error["message"]


def _pieces(rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """The rows as CSV, whose lines end in CR LF: so a cell with either of them is quoted."""
    piece = StringIO(newline="")
    write = csv.writer(piece).writerow
    for row in rows:
        write(row)
        if piece.tell() > PIECE:
            yield piece.getvalue().encode()
            piece.seek(0)
            piece.truncate()
    yield piece.getvalue().encode()
