"""COPY is a statement like any other."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from project.db import copy_in, db
from project.errors import Invalid

SHELF = sa.Table(
    "shelf",
    sa.MetaData(),
    sa.Column("number", sa.Integer),
    sa.Column("label", sa.Text),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)


@pytest.fixture(autouse=True)
def _shelf(context: None) -> None:
    db.session.execute(sa.schema.CreateTable(SHELF))


def test_rows_are_added_and_an_empty_cell_is_null(statements: list[str]) -> None:
    copy_in(SHELF, ("label", "number"), b'"a ""b"",\nc",1\r\n,2\r\n"",3\r\n')
    assert statements == ["COPY shelf (label, number) FROM STDIN (FORMAT csv)"]
    found = db.session.execute(sa.select(SHELF.c.number, SHELF.c.label).order_by(SHELF.c.number))
    assert [tuple(row) for row in found] == [(1, 'a "b",\nc'), (2, None), (3, "")]


def test_what_it_is_refused_for_is_said_as_of_any_statement() -> None:
    with pytest.raises(Invalid):
        copy_in(SHELF, ("number",), b"many\r\n")
