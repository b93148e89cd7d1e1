"""Whose turn it is: one thread's while it is quick, and another's beside it when it is slow."""

from __future__ import annotations

import time
from threading import Event, Thread

import pytest

from project.serving.turn import PATIENCE, Turn


def taker(turn: Turn) -> Event:
    """Set once another thread has the turn."""
    taken = Event()

    def take() -> None:
        turn.take()
        taken.set()

    Thread(target=take, daemon=True).start()
    return taken


def test_who_waits_for_a_request_keeps_the_turn() -> None:
    turn = Turn()
    turn.take()
    other = taker(turn)
    assert not other.wait(30 * PATIENCE)
    assert turn.mine()


def test_who_is_quick_keeps_the_turn() -> None:
    turn = Turn()
    turn.take()
    other = taker(turn)
    for _ in range(5_000):
        turn.start()
        turn.stop()
    assert not other.is_set()
    assert turn.mine()


def test_who_is_slow_loses_it_and_a_third_may_have_it_then() -> None:
    turn = Turn()
    turn.take()
    second = taker(turn)
    turn.start()
    assert second.wait(5)
    assert not turn.mine()
    third = taker(turn)
    assert not third.wait(30 * PATIENCE)  # the second waits for a request
    turn.stop()  # is said by one whose turn it is no longer
    assert not third.is_set()


def test_who_was_not_slow_for_long_loses_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("project.serving.turn.CALM", 3)
    turn = Turn()
    turn.take()
    second = taker(turn)
    time.sleep(20 * PATIENCE)  # some looks
    assert not second.is_set()
    turn.start()
    assert second.wait(5)


def test_who_was_slow_gets_in_line_again() -> None:
    turn = Turn()
    turn.take()
    turn.start()
    ready = Event()

    def second() -> None:
        turn.take()
        ready.set()
        turn.start()
        time.sleep(20 * PATIENCE)

    Thread(target=second, daemon=True).start()
    assert ready.wait(5)
    turn.take()
    assert turn.mine()
