"""Migrations: the models exactly, up and down and up again, by two deployments at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect, text

from config import NAME, ROOT, Config
from project import create_app
from project.db import db
from project.http.app import App
from tests.conftest import SECRET, administration, at
from tests.revisions import before, revision

OPENINGS = """
SELECT name, quantity, balance_after, kind, reason, actor_id, stock_movements.created_at::date::text
FROM stock_movements JOIN products ON products.id = product_id ORDER BY stock_movements.id
"""


@pytest.fixture
def empty(postgres: str) -> Iterator[str]:
    """A database without a table."""
    name = f"{NAME}_empty_{os.getpid()}"
    with administration(postgres) as run:
        run(f'CREATE DATABASE "{name}"')
        yield at(postgres, name)
        run(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def bare(empty: str) -> Iterator[App]:
    """The application on it."""
    app = create_app(Config(database_url=empty, secret_key=SECRET))
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.mark.usefixtures("bare")
def test_models_and_migrations_describe_the_same_tables(empty: str) -> None:
    """In a process of its own, which knows of no table that only tests have."""
    upgrade()
    environment = {**os.environ, "DATABASE_URL": empty, "SECRET_KEY": SECRET}
    command = [sys.executable, "-m", "flask", "db", "check"]
    told = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.usefixtures("bare")
def test_migrations_go_up_and_down_and_up_again() -> None:
    upgrade()
    made = sorted(inspect(db.engine).get_table_names())
    downgrade(revision="base")
    assert inspect(db.engine).get_table_names() == ["alembic_version"]
    upgrade()
    assert sorted(inspect(db.engine).get_table_names()) == made
    assert {"jobs", "users"} <= set(made)


@pytest.mark.usefixtures("bare")
def test_stock_that_was_there_before_the_ledger_is_its_opening() -> None:
    """And what has none gets no line; the way back forgets the ledger, and keeps the stock."""
    upgrade(revision=before("stock_movements"))
    product = "INSERT INTO products (name, price, stock, is_active, created_at) VALUES "
    old = "timestamptz '2020-02-29 12:00+00'"
    with db.engine.begin() as connection:
        for name, stock in (("Lamp", 5), ("Desk", 0), ("Bed", 2**31 - 1)):
            connection.execute(text(f"{product} ('{name}', 1, {stock}, {stock != 5}, {old})"))
    for _ in range(2):
        upgrade(revision=revision("stock_movements"))
        with db.engine.connect() as connection:
            lines = connection.execute(text(OPENINGS)).all()
        assert [tuple(line) for line in lines] == [
            ("Lamp", 5, 5, "opening", "Stock before the ledger began", None, "2020-02-29"),
            ("Bed", 2**31 - 1, 2**31 - 1, *lines[0][3:]),
        ]
        downgrade(revision=before("stock_movements"))
        assert "stock_movements" not in inspect(db.engine).get_table_names()
        with db.engine.connect() as connection:
            assert connection.scalar(text("SELECT sum(stock) FROM products")) == 2**31 + 4


@pytest.mark.usefixtures("bare")
def test_a_description_that_was_empty_is_none() -> None:
    """A cell of a file cannot tell the two apart."""
    upgrade(revision=before("uploads"))
    product = "INSERT INTO products (name, price, description) VALUES"
    told = text("SELECT description FROM products ORDER BY id")
    with db.engine.begin() as connection:
        connection.execute(text(f"{product} ('Lamp', 1, ''), ('Desk', 1, ' '), ('Bed', 1, NULL)"))
    upgrade(revision=revision("uploads"))
    with db.engine.connect() as connection:
        assert connection.scalars(told).all() == [None, " ", None]


@pytest.mark.usefixtures("bare")
def test_products_that_were_there_before_the_counts_are_counted() -> None:
    """And the way back leaves nothing that would count on."""
    counts = text("SELECT sum(total), sum(active) FROM product_counts")
    product = text("INSERT INTO products (name, price, is_active) VALUES (:name, 1, :active)")
    for round in range(2):
        upgrade(revision=before("product_counts"))
        with db.engine.begin() as connection:
            for name in "Lamp", "Desk", "Bed":
                values = {"name": f"{name} {round}", "active": name != "Bed"}
                connection.execute(product, values)
        upgrade(revision=revision("product_counts"))
        with db.engine.begin() as connection:
            assert connection.execute(counts).one() == (3 + 3 * round, 2 + 2 * round)
        downgrade(revision=before("product_counts"))


SEARCHED = [("products", "name"), ("posts", "title"), ("posts", "content")]


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(("table", "column"), SEARCHED)
def test_search_gets_its_index_where_the_server_has_trigrams(table: str, column: str) -> None:
    upgrade()
    there = "SELECT count(*) FROM pg_indexes WHERE indexname = :name"
    with db.engine.connect() as connection:
        offered = connection.scalar(
            text("SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'")
        )
        name = f"ix_{table}_{column}_trgm"
        assert connection.scalar(text(there), {"name": name}) == offered


def test_two_deployments_at_once_wait_for_each_other(empty: str) -> None:
    environment = {**os.environ, "DATABASE_URL": empty, "SECRET_KEY": SECRET}
    command = [sys.executable, "-m", "flask", "db", "upgrade"]
    deployments = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        ended = [(each.communicate(timeout=120)[1], each.returncode) for each in deployments]
    finally:
        for each in deployments:
            each.kill()
            each.wait()
    assert ended == [("", 0)] * 2


def test_revisions_form_one_line() -> None:
    revisions = sorted(path.stem for path in (ROOT / "migrations" / "versions").glob("*.py"))
    for number, name in enumerate(revisions, start=1):
        assert name.startswith(f"{number:04d}_")
