"""Invoice lines of a file, fed through the ledger: what was stopped goes on where it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import NamedTuple
from zlib import crc32

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Integer,
    LargeBinary,
    Table,
    and_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from project.db import Base, db, savepoint, transacted
from project.errors import Conflict, Refused
from project.products.models import Product
from project.products.stock import service

MOST = 100  # lines in a batch

stock_replays = Table(
    "stock_replays",
    Base.metadata,
    Column("file", LargeBinary, primary_key=True),  # SHA-256 of what is in it
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("parts", Integer, nullable=False),
    Column("line", BigInteger, nullable=False),  # the last that was dealt with
)


class Line(NamedTuple):
    """A line of an invoice: how many of what left the shelf, or with a minus came back."""

    number: int
    invoice: str
    code: str
    quantity: int


@dataclass
class Replay:
    """A file, or one of several parts that processes of their own replay at the same time.

    file: SHA-256 of what is in it.
    names: what the product of a stock code is called, where that is not the code itself.
    """

    file: bytes
    reason: str
    names: Mapping[str, str]
    part: int = 1
    parts: int = 1
    line: int = 0
    moved: int = 0
    refused: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    ids: dict[str, int | None] = field(default_factory=dict)

    def resume(self) -> None:
        """Find the last line dealt with; raises Refused if the file was divided otherwise."""
        here = stock_replays.c.file == self.file
        parts = db.session.scalar(select(stock_replays.c.parts).where(here).limit(1))
        if parts not in (None, self.parts):
            raise Refused(f"This file was begun in {parts} parts, so go on with --part 1/{parts}.")
        new = {"file": self.file, "part": self.part, "parts": self.parts, "line": 0}
        db.session.execute(insert(stock_replays).values(new).on_conflict_do_nothing())
        self.line = db.session.scalars(select(stock_replays.c.line).where(self._here())).one()

    def batches(self, lines: Iterable[Line]) -> Iterator[list[Line]]:
        """The lines still to be done of this part: of one invoice each, a hundred at most."""
        done = self.line
        left = (line for line in lines if line.number > done and self._has(line))
        for _, together in groupby(left, key=lambda line: line.invoice):
            while batch := list(islice(together, MOST)):
                yield batch

    def write(self, batch: list[Line]) -> Refused | None:
        """Move stock by these lines, all or none, and get on; why not, if it was refused."""
        refusal = transacted(lambda: self._write(batch))
        self.line = batch[-1].number
        unknown = [line.code for line in batch if self.ids[line.code] is None]
        self.unknown.update(unknown)
        known = len(batch) - len(unknown)
        self.moved += 0 if refusal else known
        self.refused += known if refusal else 0
        return refusal

    def _write(self, batch: list[Line]) -> Refused | None:
        """In one transaction, so that whatever stops it, no line is lost or done twice."""
        self._find({line.code for line in batch})
        lines = [
            {"product_id": id, "quantity": -line.quantity}
            for line in batch
            if (id := self.ids[line.code]) is not None
        ]
        refusal = None
        try:
            with savepoint():
                if lines:
                    service.move(lines, reason=self.reason, reference=batch[0].invoice)
        except service.BatchRefused as refused:
            refusal = refused
        self._advance(batch[-1].number)
        return refusal

    def _find(self, codes: set[str]) -> None:
        """Know which products these are."""
        named = {code: self.names.get(code, code) for code in codes - self.ids.keys()}
        if named:
            found = select(Product.name, Product.id).where(Product.name.in_(named.values()))
            ids = dict(db.session.execute(found).all())
            self.ids |= {code: ids.get(name) for code, name in named.items()}

    def _advance(self, line: int) -> None:
        """Keep the position; raises Conflict if another process is at it as well."""
        from_here = update(stock_replays).where(self._here(), stock_replays.c.line == self.line)
        moved = from_here.values(line=line).returning(stock_replays.c.line)
        if db.session.scalar(moved) is None:
            raise Conflict("Another process replays this part of the file.")

    def _here(self) -> ColumnElement[bool]:
        return and_(stock_replays.c.file == self.file, stock_replays.c.part == self.part)

    def _has(self, line: Line) -> bool:
        return crc32(line.invoice.encode()) % self.parts == self.part - 1
