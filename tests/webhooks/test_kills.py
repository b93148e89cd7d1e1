"""Whoever is killed between a commit and its delivery: all that was committed arrives."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.webhooks.receiver import say
from tests.webhooks.yard import Yard, opened

ROUNDS = 4
EACH = 67  # of which 51 are committed, so 200 in all


@pytest.fixture
def yard(postgres: str, template: str, tmp_path: Path) -> Iterator[Yard]:
    with opened(postgres, template, tmp_path) as yard:
        yield yard


def test_two_hundred_changes_arrive_though_workers_and_server_are_killed(yard: Yard) -> None:
    """At any moment; once both workers before they hear an answer, and once before the receiver
    has heard what they say.
    """
    for number in range(ROUNDS):
        if number in (1, 2):
            yard.receiver.answers = [dying(yard, heard=number == 1), 204]
        yard.round(EACH)
    yard.wait(yard.settled, lease=1)
    again = yard.judge()
    count = len(yard.receiver.received) - again
    print(f"{count} changes, {yard.kills} kills, {again} deliveries more than once")
    assert count >= 150
    assert again >= 1


def dying(yard: Yard, *, heard: bool) -> Any:
    def answer(request: BaseHTTPRequestHandler) -> None:
        for _ in yard.workers:
            yard.kill_worker()
        if not heard:
            forget(yard, request.headers["webhook-id"])
        say(204)(request)

    return answer


def forget(yard: Yard, id: str) -> None:
    """The last that came under this id has not come."""
    received = yard.receiver.received
    received.remove([each for each in received if each.id == id][-1])
