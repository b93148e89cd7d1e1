"""The schema changes while people work: nobody waits long, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask_migrate import downgrade, upgrade

from config import Config
from project import create_app
from project.db import db
from tests.backup.terminal import Terminal, database
from tests.conftest import SECRET
from tests.products.traffic import OTHERS, WRONG, Traffic, fill, passing
from tests.revisions import revision

FIRST = revision("events")  # the ledger is there, and all that has been changed since is not yet
PATIENCE = 10  # seconds: five times as long as a lock is waited for, since machines are busy


@pytest.fixture
def shop(postgres: str, template: str) -> Iterator[Terminal]:
    with database(postgres, template) as terminal:
        app = create_app(Config(database_url=terminal.url, secret_key=SECRET))
        with app.app_context():
            yield terminal
            db.engine.dispose()


def ride(shop: Terminal, rows: int) -> Traffic:
    """Down and up again among readers and writers; what they did."""
    fill(shop, rows)
    before = shop.sql(OTHERS)
    with passing(shop) as traffic:
        downgrade(revision=FIRST)
        upgrade()
    assert shop.sql(OTHERS) == before
    assert shop.sql(WRONG) == 0
    counted = shop.sql("SELECT sum(total) FROM product_counts")
    assert counted == shop.sql("SELECT count(*) FROM products")
    assert shop.sql("SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid") is None
    assert shop.sql("SELECT conname FROM pg_constraint WHERE NOT convalidated") is None
    return traffic


def test_nobody_waits_long_while_the_schema_goes_down_and_up_again(shop: Terminal) -> None:
    traffic = ride(shop, 2_000)
    assert traffic.done > 100
    assert traffic.longest < PATIENCE
