"""What the database itself refuses, whoever asks, as the application's own role."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any

import psycopg2
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from project.db import db
from project.errors import Conflict, Refusal
from project.products.stock import service as stock
from tests.conftest import cloned
from tests.products.make import make_product

pytestmark = pytest.mark.usefixtures("context")

INSERT = (
    "INSERT INTO stock_movements"
    " (product_id, quantity, balance_after, kind, reason, request_id, created_at)"
    " VALUES (:product_id, :quantity, :balance_after, :kind, :reason, 'x', now())"
)
LINE = """
WITH made AS (INSERT INTO products (name, price, stock) VALUES ('Lamp', 1, 1) RETURNING id)
INSERT INTO stock_movements (product_id, quantity, balance_after, kind, request_id, created_at)
SELECT id, 1, 1, 'opening', 'x', now() FROM made
"""
GOOD = {"quantity": 1, "balance_after": 6, "kind": "count", "reason": None}


Connect = Callable[[], Any]


@pytest.fixture
def apart(postgres: str, template: str) -> Iterator[Connect]:
    """Real connections to a database of its own."""
    with cloned(postgres, template, f"ledger_{secrets.token_hex(6)}") as url:
        plain = make_url(url).set(drivername="postgresql")
        yield partial(psycopg2.connect, plain.render_as_string(hide_password=False))


def refusal(statement: str, **values: Any) -> str:
    """The SQLSTATE of the refusal, and the ledger is as it was."""
    before = ledger()
    with pytest.raises(DBAPIError) as refused, db.session.begin_nested():
        db.session.execute(text(statement), values)
    assert ledger() == before
    return str(refused.value.orig.pgcode)  # type: ignore[union-attr]


def ledger() -> list[Any]:
    return list(db.session.execute(text("SELECT * FROM stock_movements ORDER BY id")).all())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE stock_movements SET reason = 'lost'",
        "UPDATE stock_movements SET quantity = quantity WHERE id = :id",
        "UPDATE stock_movements SET actor_id = NULL WHERE false",
        "UPDATE stock_movements SET id = DEFAULT WHERE id = -1",
        "DELETE FROM stock_movements",
        "DELETE FROM stock_movements WHERE id = :id",
        "DELETE FROM stock_movements WHERE id = -1",
        "TRUNCATE stock_movements",
        "TRUNCATE products CASCADE",
        "TRUNCATE stock_movements RESTART IDENTITY CASCADE",
        "WITH gone AS (DELETE FROM stock_movements RETURNING 1) SELECT count(*) FROM gone",
        "INSERT INTO stock_movements OVERRIDING SYSTEM VALUE"
        " SELECT * FROM stock_movements ON CONFLICT (id) DO UPDATE SET quantity = 9",
        "SELECT id FROM stock_movements FOR UPDATE; DELETE FROM stock_movements WHERE id = :id",
    ],
)
def test_a_movement_is_never_changed_or_deleted(statement: str) -> None:
    moved = stock.adjust(make_product(stock=5).id, -1, reason="sold")
    values = {"id": moved.movement_id} if ":id" in statement else {}
    assert refusal(statement, **values) == "23001"  # restrict_violation, our trigger's


def test_of_an_empty_ledger_nothing_is_deleted_either() -> None:
    assert ledger() == []
    assert refusal("DELETE FROM stock_movements") == "23001"


@pytest.mark.parametrize("table", ["stock_movements", "products", "users"])
def test_an_empty_ledger_may_be_truncated(table: str) -> None:
    """Nothing is lost: so a catalogue without stock can be loaded anew."""
    make_product()
    db.session.execute(text(f"TRUNCATE {table} CASCADE"))
    assert db.session.scalar(text(f"SELECT count(*) FROM {table}")) == 0
    moved = stock.adjust(make_product(stock=5).id, -1)
    assert [line.id for line in ledger()] == [moved.movement_id - 1, moved.movement_id]


@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
def test_who_may_not_see_what_others_wrote_truncates_nothing(
    apart: Connect, isolation: str
) -> None:
    """A snapshot from before the first line takes the ledger for empty."""
    with closing(apart()) as late, late.cursor() as hand:
        hand.execute(f"BEGIN ISOLATION LEVEL {isolation}; SELECT count(*) FROM users")
        with closing(apart()) as other, other, other.cursor() as clerk:
            clerk.execute(LINE)
        hand.execute("SELECT count(*) FROM stock_movements")
        assert hand.fetchone() == (0,)
        with pytest.raises(psycopg2.Error) as refused:
            hand.execute("TRUNCATE products CASCADE")
        assert refused.value.pgcode == "23001"


@pytest.mark.parametrize(
    ("wrong", "state"),
    [
        ({"quantity": 0}, "23514"),
        ({"balance_after": -1}, "23514"),
        ({"kind": "sale"}, "23514"),
        ({"kind": ""}, "23514"),
        ({"quantity": None}, "23502"),
        ({"kind": None}, "23502"),
        ({"product_id": -1}, "23503"),
        ({"reason": "x" * 256}, "22001"),
    ],
    ids=str,
)
def test_what_is_no_movement_is_not_kept(wrong: dict[str, Any], state: str) -> None:
    values = {"product_id": make_product(stock=5).id, **GOOD}
    db.session.execute(text(INSERT), values)  # nothing else is wrong with it
    broken = {**values, **wrong}
    with pytest.raises((DBAPIError, Refusal)) as refused, db.session.begin_nested():
        db.session.execute(text(INSERT), broken)
    cause: Any = getattr(refused.value, "orig", None) or refused.value.__cause__
    assert cause.pgcode == state


def test_a_product_with_a_history_cannot_be_deleted_for_good() -> None:
    id = make_product(stock=5).id
    assert refusal("DELETE FROM products WHERE id = :id", id=id) == "23503"
    db.session.execute(text("DELETE FROM products WHERE id = :id"), {"id": make_product().id})


def test_a_movement_is_reversed_by_one_line_at_most() -> None:
    moved = stock.adjust(make_product(stock=5).id, -1)
    stock.reverse(moved.movement_id)
    again = text(INSERT.replace("reason", "reverses_id", 1))
    values = {
        "product_id": moved.product_id,
        **GOOD,
        "kind": "reversal",
        "reason": moved.movement_id,
    }
    with pytest.raises(Conflict, match="has been reversed already"), db.session.begin_nested():
        db.session.execute(again, values)
