"""How many products there are: exact after whatever changes it, and nobody waits for it."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from io import BytesIO, StringIO
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 — because it is a class
from sqlalchemy import select, text
from sqlalchemy.engine import make_url

from project.db import db
from project.products import bulk, counts, service
from project.products.models import Product
from project.products.schemas import validate_row
from project.products.stock import service as stock
from tests.auth.steps import at_once
from tests.conftest import cloned
from tests.products.make import make_product

HANDS = 16
KEPT = "(SELECT coalesce(sum({}), 0)::bigint FROM product_counts)"
LOOK = (
    f"SELECT {KEPT.format('total')}, {KEPT.format('active')}, {KEPT.format('version')},"
    " count(*), count(*) FILTER (WHERE is_active),"
    " md5(string_agg(concat(id, name, is_active), '' ORDER BY id)) FROM products"
)

Connect = Callable[[], Connection]


def counted() -> int:
    """The version, where both totals are what counting would say."""
    asked = select(counts.total(False), counts.total(True), counts.version())
    total, active, version = db.session.execute(asked).one()
    found = "SELECT count(*), count(*) FILTER (WHERE is_active) FROM products"
    assert (total, active) == tuple(db.session.execute(text(found)).one())
    assert {type(each) for each in (total, active, version)} == {int}
    return int(version)


def load(content: str) -> bulk.Loaded:
    return bulk.load(bulk.Sheet(BytesIO(content.encode()), {}), validate_row, update=True)


def run(statement: str) -> None:
    db.session.execute(text(statement))


INSERT = "INSERT INTO products (name, price, is_active) SELECT 'new ' || i, 1, i % 3 = 0"
FIVE = " FROM generate_series(1, 5) AS i"
MERGE = " ON CONFLICT (name) DO UPDATE SET name = excluded.name || '!', is_active = false"

# What counts, in a catalogue of an active and an inactive product.
CHANGES: dict[str, Callable[[int, int], object]] = {
    "a new product": lambda *_: make_product(),
    "an inactive one": lambda *_: make_product(is_active=False),
    "many": lambda *_: run(INSERT + FIVE),
    "one of many": lambda *_: run(f"{INSERT}{FIVE} WHERE i = 1 UNION SELECT 'on', 1, true{MERGE}"),
    "merged": lambda *_: run(f"{INSERT}{FIVE} UNION SELECT 'on', 1, true UNION ALL"
                             f" SELECT 'off', 2, false{MERGE}"),
    "soft delete": lambda on, off: service.delete(on),
    "restore": lambda on, off: service.restore(off),
    "renaming": lambda on, off: service.update(on, {"name": "another"}),
    "deactivation": lambda on, off: service.update(on, {"name": "on", "is_active": False}),
    "one each way": lambda *_: run("UPDATE products SET is_active = NOT is_active"),
    "delete": lambda on, off: run(f"DELETE FROM products WHERE id = {on}"),
    "delete of many": lambda *_: run("DELETE FROM products"),
    "truncate": lambda *_: run("TRUNCATE products CASCADE"),
    "import": lambda *_: load("name,price,is_active\non,1,false\noff,1,true\nA,1,true\nB,1,"),
    "import of a name": lambda *_: load("name,price\nA,1\n"),
}  # fmt: skip

# What leaves every total as it was.
NO_CHANGES: dict[str, Callable[[int, int], object]] = {
    "a sale": lambda on, off: stock.adjust(on, 1),
    "another price": lambda on, off: service.update(on, {"price": 2}),
    "the same again": lambda on, off: service.update(on, {"name": "on", "is_active": True}),
    "soft delete again": lambda on, off: service.delete(off),
    "restored again": lambda on, off: service.restore(on),
    "nothing renamed": lambda *_: run("UPDATE products SET name = 'x' WHERE false"),
    "nothing deleted": lambda *_: run("DELETE FROM products WHERE false"),
    "taken": lambda *_: run(f"{INSERT}{FIVE} WHERE false ON CONFLICT DO NOTHING"),
    "import of the same": lambda *_: load("name,price,is_active\non,7,true\noff,7,\n"),
}


@pytest.fixture
def two(context: None) -> tuple[int, int]:
    return make_product(name="on").id, make_product(name="off", is_active=False).id


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_a_total_changes_the_version(two: tuple[int, int], change: str) -> None:
    before = counted()
    CHANGES[change](*two)
    assert counted() > before


@pytest.mark.parametrize("change", NO_CHANGES)
def test_what_changes_no_total_costs_no_version(two: tuple[int, int], change: str) -> None:
    before = counted()
    NO_CHANGES[change](*two)
    assert counted() == before


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_undone_was_never_counted(two: tuple[int, int], change: str) -> None:
    before = counted()
    make_product(name="kept")
    between = counted()
    assert between > before
    undone = db.session.begin_nested()
    CHANGES[change](*two)
    counted()
    undone.rollback()
    assert counted() == between
    CHANGES[change](*two)  # and what was added up of its rows is forgotten too
    assert counted() > between


def test_an_empty_catalogue_has_none(context: None) -> None:
    assert db.session.scalar(select(Product.id)) is None
    counted()


@pytest.fixture(scope="module")
def connect(postgres: str, template: str) -> Iterator[Connect]:
    """Real connections to a database of its own."""
    with cloned(postgres, template, f"counts_{secrets.token_hex(6)}") as url:
        plain = make_url(url).set(drivername="postgresql")
        yield partial(psycopg2.connect, plain.render_as_string(hide_password=False))


def look(hand: Any) -> tuple[int, str]:
    """The version and a digest of all that totals depend on, where totals are exact."""
    hand.execute(LOOK)
    total, active, version, all_there, active_there, digest = hand.fetchone()
    assert (total, active) == (all_there, active_there)
    return version, digest


def write(connect: Connect, seed: int) -> dict[int, str]:
    """Forty transactions of one to three changes each, some undone; what was seen on the way."""
    chance = random.Random(seed)
    seen: dict[int, str] = {}
    with closing(connect()) as connection, connection.cursor() as hand:
        hand.execute("SET lock_timeout = '10s'")
        for round in range(40):
            for step in range(chance.randint(1, 3)):
                name = f"{seed} {round} {step}"
                change = chance.choice((
                    f"INSERT INTO products (name, price) VALUES ('{name}', 1)",
                    f"INSERT INTO products (name, price, is_active)"
                    f" SELECT '{name} ' || i, 1, i % 2 = 0 FROM generate_series(1, 9) AS i",
                    f"UPDATE products SET is_active = NOT is_active WHERE name LIKE '{seed} %3'",
                    f"UPDATE products SET name = name || '.' WHERE name LIKE '{seed} %1'",
                    f"DELETE FROM products WHERE name LIKE '{seed} %2'",
                ))  # fmt: skip
                hand.execute(f"SAVEPOINT step; {change}")
                if chance.random() < 0.2:
                    hand.execute("ROLLBACK TO step")
            connection.rollback() if chance.random() < 0.2 else connection.commit()
            version, digest = look(hand)
            assert version >= max(seen, default=0)
            assert seen.setdefault(version, digest) == digest
            connection.commit()
    return seen


def test_sixteen_hands_at_once_and_no_version_has_two_contents(connect: Connect) -> None:
    """In any snapshot of anybody totals are exact, and the same version means the same products."""
    seen: dict[int, str] = {}
    for one in at_once(*(partial(write, connect, seed) for seed in range(HANDS))):
        for version, digest in one.items():
            assert seen.setdefault(version, digest) == digest
    assert len(seen) > HANDS * 10
    with closing(connect()) as connection, connection.cursor() as hand:
        assert look(hand)[0] == max(seen)  # later is greater
        hand.execute("SELECT count(*) FROM product_counts")
        [slots] = hand.fetchone() or [0]
        assert slots <= HANDS + 1


def test_nobody_waits_for_a_transaction_that_has_counted(connect: Connect) -> None:
    """However many are open, a single one does not wait."""
    open_ones = [connect() for _ in range(HANDS)]
    try:
        for number, each in enumerate(open_ones):
            with each.cursor() as hand:
                hand.execute("SET lock_timeout = '1ms'")
                hand.execute(f"INSERT INTO products (name, price) VALUES ('open {number}', 1)")
        for each in open_ones[::2]:
            each.rollback()
        for each in open_ones[1::2]:
            each.commit()
        with open_ones[0].cursor() as hand:
            look(hand)
    finally:
        for each in open_ones:
            each.close()


def test_a_statement_that_changes_many_counts_once(connect: Connect) -> None:
    """Counting row by row, each would walk over what all before it left behind."""
    written = "SELECT n_tup_upd FROM pg_stat_xact_user_tables WHERE relname = 'product_counts'"
    with closing(connect()) as connection, connection.cursor() as hand:
        hand.execute(INSERT.replace("new", "many") + FIVE.replace("5", "2000"))
        hand.execute(written)
        [before] = hand.fetchone() or [0]
        hand.execute("UPDATE products SET is_active = NOT is_active WHERE name LIKE 'many %'")
        look(hand)
        hand.execute(written)
        assert hand.fetchone() == (before + 1,)


def test_a_restored_dump_counts_once(connect: Connect) -> None:
    """Data only, with triggers that are there already, and no search path: as pg_dump writes it."""
    with closing(connect()) as connection, connection.cursor() as hand:
        hand.execute("TRUNCATE products CASCADE; DELETE FROM product_counts")
        hand.execute("SET search_path = ''")
        hand.copy_expert("COPY public.product_counts FROM STDIN", StringIO("0\t2\t1\t77\n"))
        hand.copy_expert(
            "COPY public.products (name, price, is_active) FROM STDIN",
            StringIO("Lamp\t1\tt\nDesk\t2\tf\n"),
        )
        hand.execute("SET search_path = public")
        assert look(hand)[0] > 0
