"""Migrations among others: they give way, come again, and leave nothing half done."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Timer
from typing import Any

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from click import ClickException
from flask_migrate import downgrade, upgrade
from sqlalchemy import create_engine, inspect, text

from config import Config
from project import create_app
from project.db import db, migrating
from tests.backup.terminal import Terminal, database
from tests.conftest import SECRET

INSERT = "INSERT INTO users (email, username, hashed_password) VALUES (%s, %s, '')"
REVISION = "SELECT version_num FROM alembic_version"
SOON = {**migrating.LIMITS, "lock_timeout": "300ms"}


REAL = migrating.LIMITS
ENOUGH = 30  # seconds, fifteen times as long as a lock is waited for


@pytest.fixture
def others(postgres: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A database without a table, where others work beside the application of the test."""
    monkeypatch.setattr(migrating, "LIMITS", SOON)
    with database(postgres) as terminal:
        app = create_app(Config(database_url=terminal.url, secret_key=SECRET))
        with app.app_context():
            yield terminal
            db.engine.dispose()


def tables() -> set[str]:
    return set(inspect(db.engine).get_table_names())


def add_user(connection: Any, name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [f"{name}@example.org", name])


def test_a_step_that_cannot_lock_gives_up_and_leaves_what_came_before(
    others: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "PAUSES", (0.0,))
    upgrade(revision="0001")
    with others.connected() as writing:
        add_user(writing, "ada")  # and does not commit: what refers to users has to wait
        with pytest.raises(ClickException) as refusal:
            upgrade(revision="0003")
    assert refusal.value.message == (
        "Others held on to what upgrade 0001 -> 0002 has to lock, 2 times; it is not done, and "
        "what came before it is: try again when less is going on. "
        "(canceling statement due to lock timeout)"
    )
    assert others.sql(REVISION) == "0001"
    assert "sessions" not in tables()
    upgrade(revision="0002")
    assert "sessions" in tables()


def test_nobody_is_kept_waiting_longer_than_by_anybody_else(
    others: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(revision="0001")
    monkeypatch.setattr(migrating, "LIMITS", REAL)
    monkeypatch.setattr(migrating, "PAUSES", ())
    with others.connected() as writing:
        add_user(writing, "ada")
        timer = Timer(ENOUGH, writing.rollback)
        timer.start()
        with pytest.raises(ClickException):
            upgrade(revision="0002")
        timer.cancel()


def test_whoever_comes_later_goes_on_when_it_gives_up(
    others: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two tries, while who was first is still at it."""
    upgrade(revision="0001")
    with others.connected() as first, others.connected() as late:
        add_user(first, "ada")

        def pause(_: float) -> None:
            with late:
                add_user(late, "bob")
            first.rollback()

        monkeypatch.setattr(migrating, "sleep", pause)
        upgrade(revision="0002")
    assert others.sql("SELECT string_agg(username, ' ') FROM users") == "bob"
    assert others.sql(REVISION) == "0002"


def test_steps_that_are_counted_are_counted_from_the_beginning(
    others: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two back are two back, though the second had to be taken twice."""
    upgrade(revision="0003")
    with others.connected() as reading, reading.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sessions")
        monkeypatch.setattr(migrating, "sleep", lambda _: reading.rollback())
        downgrade(revision="-2")
    assert others.sql(REVISION) == "0001"
    assert "users" in tables()


def test_each_revision_is_committed_by_itself(
    others: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(revision="0001")
    others.sql("CREATE TABLE refresh_tokens (id integer)")  # the second table of the revision
    with pytest.raises(Exception, match="already exists"):
        upgrade()
    assert others.sql(REVISION) == "0001"
    assert "sessions" not in tables()
    others.sql("DROP TABLE refresh_tokens")
    upgrade(revision="0002")
    assert others.sql(REVISION) == "0002"


def test_an_index_is_created_while_others_write_and_waits_for_them(others: Terminal) -> None:
    upgrade(revision="0001")
    with ThreadPoolExecutor(1) as hand, others.connected() as old, others.connected() as new:
        add_user(old, "ada")
        making = hand.submit(make_index, others.url)
        with pytest.raises(TimeoutError):
            making.result(1)  # longer than a lock may be waited for
        with new, new.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '10s'")
            add_user(new, "bob")
        old.commit()
        making.result(30)
    assert others.sql(VALID)


VALID = """
SELECT bool_and(indisvalid) FROM pg_index WHERE indexrelid = 'ix_users_full_name'::regclass
"""


def make_index(url: str, **options: Any) -> None:
    """As a migration does."""
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"transaction_per_migration": True})
        with Operations.context(context), context.begin_transaction(_per_migration=True):
            migrating.create_index("ix_users_full_name", "users", ["full_name"], **options)
    engine.dispose()


def test_an_index_that_was_left_invalid_is_in_nobodys_way(others: Terminal) -> None:
    upgrade(revision="0001")
    for name in "ada", "bob":
        with others.connected() as connection, connection:
            add_user(connection, name)
    others.sql("UPDATE users SET full_name = 'The same'")
    with pytest.raises(Exception, match="could not create unique index"):
        make_index(others.url, unique=True)
    assert others.sql(VALID) is False
    make_index(others.url)
    assert others.sql(VALID) is True


def test_a_migration_has_its_own_limits_and_the_pool_does_not_get_them(others: Terminal) -> None:
    upgrade(revision="0001")
    with db.engine.connect() as connection:
        assert connection.scalar(text("SHOW lock_timeout")) == "2s"
        assert connection.scalar(text("SHOW statement_timeout")) == "5s"


def test_a_statement_that_takes_too_long_is_told_and_not_tried_again(
    others: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "LIMITS", {**SOON, "statement_timeout": "1ms"})
    monkeypatch.setattr(migrating, "sleep", lambda _: pytest.fail("it was tried again"))
    with pytest.raises(ClickException, match="due to statement timeout"):
        upgrade(revision="0003")
