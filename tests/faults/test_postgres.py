"""A PostgreSQL that is killed, stopped, stands still or has no room: told, and over soon."""

from __future__ import annotations

from tests.faults import scenarios
from tests.faults.scenarios import Own


def test_postgres_is_killed_under_load(own: Own) -> None:
    scenarios.postgres_is_killed(own, times=2, pause=1.5)


def test_postgres_is_away_for_a_while(own: Own) -> None:
    scenarios.postgres_is_away(own, seconds=2.5)


def test_postgres_stands_still_for_a_while(own: Own) -> None:
    scenarios.postgres_stands_still(own, seconds=3)


def test_a_disk_is_full_for_a_while(own: Own) -> None:
    scenarios.a_disk_is_full(own, seconds=1)
