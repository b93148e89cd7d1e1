"""The faults once more, longer, more often and with other timings: `make soak`, ten minutes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults import scenarios
from tests.faults.conftest import begun, house, kind, own
from tests.faults.scenarios import House, Own

__all__ = ["house", "kind", "own"]  # fixtures

PAUSES = (0.05, 0.5, 2.0)  # seconds
DISK = "size=200m"
SHORT = {"min_wal_size": "32MB", "max_wal_size": "32MB"}


@pytest.fixture
def small(tmp_path: Any) -> Iterator[Own]:
    """With a PostgreSQL on a small disk, which only root can mount."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", DISK, "tmpfs", tmp_path], check=True)
    try:
        tmp_path.chmod(0o755)
        with begun(tmp_path, **SHORT) as own:
            yield own
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)


@pytest.mark.parametrize("pause", PAUSES)
def test_workers_are_killed(house: House, pause: float) -> None:
    scenarios.workers_are_killed(house, 20, pause)


@pytest.mark.parametrize("pause", PAUSES)
def test_connections_are_ended(house: House, pause: float) -> None:
    scenarios.connections_are_ended(house, 20, pause)


@pytest.mark.parametrize("clients", [4, 16, 64])
def test_a_row_is_locked_for_half_a_minute(house: House, clients: int) -> None:
    scenarios.a_row_is_locked(house, clients, 30)


def test_a_table_is_locked_for_half_a_minute(house: House) -> None:
    scenarios.a_table_is_locked(house, 30)


@pytest.mark.parametrize("clients", [64, 96])
def test_many_clients(house: House, clients: int) -> None:
    scenarios.many_clients(house, clients, 20)


@pytest.mark.parametrize("pause", [0.5, 1.5, 4.0])
def test_postgres_is_killed(own: Own, pause: float) -> None:
    scenarios.postgres_is_killed(own, 5, pause)


@pytest.mark.parametrize("seconds", [3, 20])
def test_postgres_is_away(own: Own, seconds: float) -> None:
    scenarios.postgres_is_away(own, seconds)


@pytest.mark.parametrize("seconds", [3, 20])
def test_postgres_stands_still(own: Own, seconds: float) -> None:
    scenarios.postgres_stands_still(own, seconds)


def test_a_disk_is_full(own: Own) -> None:
    scenarios.a_disk_is_full(own, 10)


@pytest.mark.parametrize("seconds", [5, 20])
def test_nothing_can_be_written(small: Own, seconds: float) -> None:
    scenarios.nothing_can_be_written(small, seconds)
