"""A transaction that a statement of the driver's begins, and the session goes on with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from sqlalchemy import text

from project.db import db, fetch, reading, savepoint, transaction
from project.db.connections import own
from project.db.session import UNIT
from project.errors import Refused
from project.http import documents
from project.products import service
from project.products.models import Product
from project.products.schemas import ProductOut
from project.products.stock import service as stock
from tests.db.conftest import Bench, opened, run
from tests.db.test_verbs import before_second_statement
from tests.products.make import make_product

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
        driver: Any = unit.pooled.dbapi_connection
        assert backend() == driver.info.backend_pid
    with bench.app.app_context(), transaction():
        pid = backend()  # the session first
        service.create({**LAMP, "name": "Torch"})
        assert backend() == pid


def test_a_thread_has_one_connection_for_what_it_reads_and_writes(bench: Bench) -> None:
    with bench.app.app_context():
        kept: Any = own(db.engine).dbapi_connection
        for name in ("Lamp", "Torch"):
            with transaction():
                id = service.create({**LAMP, "name": name}).product_id
                unit = UNIT.get()
                assert unit is not None
                assert unit.pooled is not None
                assert unit.pooled.dbapi_connection is kept
            with reading():
                assert documents.find(service.find(id), ProductOut()).id == id
        assert own(db.engine).dbapi_connection is kept


def test_a_transaction_inside_another_has_a_connection_of_its_own(bench: Bench) -> None:
    def inside() -> None:
        service.create(LAMP)
        with transaction():
            service.create({**LAMP, "name": "Torch"})
        raise Refused("No.")

    with bench.app.app_context(), pytest.raises(Refused), transaction():
        inside()
    assert rows(bench) == (1, 1, 2)


def test_a_connection_that_is_lost_is_not_kept(bench: Bench) -> None:
    def lose() -> None:
        service.create(LAMP)
        unit = UNIT.get()
        assert unit is not None
        assert unit.pooled is not None
        driver: Any = unit.pooled.dbapi_connection
        driver.close()
        raise Refused("No.")

    with bench.app.app_context():
        with pytest.raises(Refused), transaction():
            lose()
        with transaction():
            service.create(LAMP)
    assert rows(bench) == (1, 1, 2)


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
        driver: Any = own(db.engine).dbapi_connection
        assert driver.get_transaction_status() == TRANSACTION_STATUS_IDLE
        assert (driver.autocommit, driver.first) == (True, "")
    assert rows(bench) == (0, 0, 0)


def test_stock_that_arrives_between_two_statements_is_sold(bench: Bench) -> None:
    plain = bench.url.replace("postgresql+psycopg2", "postgresql")
    id = bench.post(lambda: make_product(stock=1).id).json["found"]
    other = psycopg2.connect(plain)
    try:

        def deliver() -> None:
            with other, other.cursor() as cursor:
                cursor.execute("UPDATE products SET stock = 5 WHERE id = %s", [id])

        with (
            before_second_statement(bench, deliver, after=0),
            bench.app.app_context(),
            transaction(),
        ):
            stock.adjust(id, -5)
        with bench.app.app_context():
            assert fetch(Product, id).stock == 0
    finally:
        other.close()
