"""A transaction that a statement of the driver's begins, and the session goes on with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from sqlalchemy import text

from project.db import db, fetch, savepoint, transaction
from project.db.session import UNIT
from project.errors import Refused
from project.products import service
from project.products.models import Product
from project.products.stock import service as stock
from tests.db.conftest import Bench, opened, run

LAMP = {"name": "Lamp", "price": 1, "stock": 5}


@pytest.fixture
def bench(postgres: str, template: str) -> Iterator[Bench]:
    """Where nothing is yet: lines of the ledger cannot be deleted."""
    with opened(postgres, template) as made:
        yield made


def rows(bench: Bench) -> tuple[Any, ...]:
    counted = "(SELECT count(*) FROM {})"
    tables = ("products", "stock_movements", "events")
    with bench.app.app_context():
        found = db.session.execute(text(f"SELECT {', '.join(map(counted.format, tables))}")).one()
    return tuple(found)


def backend() -> int:
    return int(run("SELECT pg_backend_pid()"))


def test_what_the_driver_and_the_session_write_is_kept_together(bench: Bench) -> None:
    with bench.app.app_context(), transaction():
        id = service.create(LAMP).product_id
        fetch(Product, id).description = "by the session"
        stock.adjust(id, -2)
    with bench.app.app_context():
        product = fetch(Product, id)
        assert (product.stock, product.description) == (3, "by the session")
    assert rows(bench) == (1, 2, 3)


def test_or_neither(bench: Bench) -> None:
    def work() -> None:
        id = service.create(LAMP).product_id
        fetch(Product, id).description = "by the session"
        db.session.flush()
        stock.adjust(id, -2)
        raise Refused("No.")

    with bench.app.app_context(), pytest.raises(Refused), transaction():
        work()
    assert rows(bench) == (0, 0, 0)


def test_all_of_it_is_on_one_connection(bench: Bench) -> None:
    with bench.app.app_context(), transaction():
        service.create(LAMP)
        unit = UNIT.get()
        assert unit is not None
        assert unit.pooled is not None
        driver: Any = unit.pooled.driver_connection
        assert backend() == driver.info.backend_pid
    with bench.app.app_context(), transaction():
        pid = backend()  # the session first
        service.create({**LAMP, "name": "Torch"})
        assert backend() == pid


def test_a_savepoint_undoes_what_the_driver_wrote_inside(bench: Bench) -> None:
    def undone() -> None:
        with savepoint():
            service.create({**LAMP, "name": "Torch"})
            service.create(LAMP)

    with bench.app.app_context(), transaction():
        service.create(LAMP)
        with pytest.raises(Refused, match="already exists"):
            undone()
        service.create({**LAMP, "name": "Candle"})
    with bench.app.app_context():
        names = db.session.scalars(text("SELECT name FROM products ORDER BY id")).all()
    assert names == ["Lamp", "Candle"]


def test_nothing_is_left_open(bench: Bench) -> None:
    def refuse() -> None:
        service.create(LAMP)
        raise Refused("No.")

    def twice() -> None:
        service.create(LAMP)
        service.create(LAMP)

    for work in (refuse, twice):
        with bench.app.app_context(), pytest.raises(Refused), transaction():
            work()
    with bench.app.app_context():
        pool: Any = db.engine.pool
        assert pool.checkedout() == 0
        pooled = db.engine.raw_connection()
        driver: Any = pooled.driver_connection
        assert driver.get_transaction_status() == TRANSACTION_STATUS_IDLE
        assert (driver.autocommit, driver.first) == (False, "")
        pooled.close()
    assert rows(bench) == (0, 0, 0)
