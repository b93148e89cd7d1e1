"""A database with something in it, its backup, and one without a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backup.terminal import Terminal, database

SAMPLES = """
INSERT INTO samples (name, description, price, amount)
SELECT 'Sample ' || n, CASE WHEN n % 3 = 0 THEN E'a\\tb\\n\\\\.\\n鉛筆 ' || n END, n, 100
FROM generate_series(1, 1000) AS n
"""


@pytest.fixture(scope="module")
def source(postgres: str, template: str) -> Iterator[Terminal]:
    """With a thousand samples, which have a hundred pieces each, and an address that waits."""
    with database(postgres, template) as terminal:
        terminal.sql(SAMPLES)
        terminal.sql("INSERT INTO rate_limits VALUES ('key', 1, now() + interval '1 hour')")
        yield terminal


@pytest.fixture
def busy(postgres: str, template: str) -> Iterator[Terminal]:
    """The same thousand, for whoever changes them."""
    with database(postgres, template) as terminal:
        terminal.sql(SAMPLES)
        yield terminal


@pytest.fixture(scope="module")
def kept(source: Terminal, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its backup, which nobody changes."""
    path = tmp_path_factory.mktemp("kept") / "kept.backup"
    source.done("backup", path)
    return path


@pytest.fixture
def empty(postgres: str) -> Iterator[Terminal]:
    with database(postgres) as terminal:
        yield terminal
