"""Two hundred kills between a commit and its delivery: `make soak`, a quarter of an hour."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from project.webhooks.deliveries import LEASE
from tests.webhooks.yard import Yard, opened

KILLS = 200


@pytest.fixture
def yard(postgres: str, template: str, tmp_path: Path) -> Iterator[Yard]:
    with opened(postgres, template, tmp_path) as yard:
        yield yard


def test_all_that_was_committed_arrives_though_two_hundred_are_killed(yard: Yard) -> None:
    for number in range(1, KILLS + 1):
        yard.round(4)  # the last of which is refused
        if number % 10 == 0:
            yard.sign_in_again()  # before the token is too old
            print(f"{number} kills, {len(yard.receiver.received)} deliveries", flush=True)
    yard.wait(yard.settled, lease=LEASE.seconds)
    again = yard.judge()
    print(f"{len(yard.receiver.received) - again} changes, {again} deliveries more than once")
