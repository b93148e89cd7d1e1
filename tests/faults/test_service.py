"""Workers, connections and locks: what is wrong with one is no harm to the others."""

from __future__ import annotations

from tests.faults import scenarios
from tests.faults.scenarios import House


def test_ten_workers_are_killed_under_load(house: House) -> None:
    scenarios.workers_are_killed(house, times=10, pause=0.3)


def test_all_connections_to_the_database_are_ended(house: House) -> None:
    scenarios.connections_are_ended(house, times=5, pause=0.3)


def test_a_row_that_somebody_has_locked_holds_up_nobody_else(house: House) -> None:
    scenarios.a_row_is_locked(house, clients=16, seconds=3)


def test_a_table_that_somebody_has_locked_is_refused_and_comes_back(house: House) -> None:
    scenarios.a_table_is_locked(house, seconds=3)


def test_sixty_four_clients_share_eight_threads(house: House) -> None:
    scenarios.many_clients(house, clients=64, seconds=2)
