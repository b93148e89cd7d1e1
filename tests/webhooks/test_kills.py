"""Whoever is killed between a commit and its delivery: all that was committed arrives."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.webhooks.receiver import say
from tests.webhooks.yard import Yard, opened

ROUNDS = 6
EACH = 45  # of which 34 are committed, so 200 in all


@pytest.fixture
def yard(postgres: str, template: str, tmp_path: Path) -> Iterator[Yard]:
    with opened(postgres, template, tmp_path) as yard:
        yield yard


def test_two_hundred_movements_arrive_though_workers_and_server_are_killed(yard: Yard) -> None:
    """At any moment, and once both workers before they hear the answer to a delivery."""
    for number in range(ROUNDS):
        if number == 2:
            yard.receiver.answers = [dying(yard), 204]
        yard.round(EACH)
    yard.wait(yard.settled, lease=1)
    again = yard.judge()
    count = len(yard.receiver.received) - again
    print(f"{count} movements, {yard.kills} kills, {again} deliveries more than once")
    assert count >= 150
    assert again >= 1


def dying(yard: Yard) -> Any:
    def answer(request: BaseHTTPRequestHandler) -> None:
        for _ in yard.workers:
            yard.kill_worker()
        say(204)(request)

    return answer
