"""An event is there if and only if its change is."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import pytest
from sqlalchemy import select

from project import origin
from project.db import Event, announce, db, note, savepoint, transaction
from project.errors import Refused

pytestmark = pytest.mark.usefixtures("context")


class Kept(Refused):
    """Leaves a trace."""

    keeps = True


def refused(inside: AbstractContextManager[None], event: str, refusal: Refused) -> None:
    """Announce it, then refuse."""
    with inside:
        announce(event)
        raise refusal


def told() -> list[tuple[str, Any]]:
    rows = db.session.scalars(select(Event).order_by(Event.id))
    return [(event.type, event.data) for event in rows]


def test_what_is_announced_is_a_row_with_who_did_it() -> None:
    origin.enter("request-1")
    origin.act(7, "ada")
    with transaction():
        announce("lamp.made", lamp_id=1)
        announce("lamp.lit", lamp_id=1, quantity=-2)
    first, second = db.session.scalars(select(Event).order_by(Event.id))
    assert (first.type, first.data) == ("lamp.made", {"lamp_id": 1})
    assert (second.type, second.data) == ("lamp.lit", {"lamp_id": 1, "quantity": -2})
    assert {(each.actor_id, each.actor_name, each.request_id) for each in (first, second)} == {
        (7, "ada", "request-1")
    }
    assert not first.dispatched


def test_what_is_only_noted_is_none() -> None:
    with transaction():
        note("session.started")
    assert told() == []


def test_what_is_rolled_back_is_told_by_nobody() -> None:
    with pytest.raises(Refused):
        refused(transaction(), "lamp.made", Refused("no"))
    assert told() == []


def test_what_a_savepoint_undoes_is_told_by_nobody() -> None:
    with transaction():
        announce("first")
        with pytest.raises(Refused):
            refused(savepoint(), "undone", Refused("no"))
        announce("last")
    assert [type for type, _ in told()] == ["first", "last"]


def test_a_refusal_that_keeps_its_trace_keeps_its_events() -> None:
    with pytest.raises(Kept):
        refused(transaction(), "traced", Kept("no"))
    assert [type for type, _ in told()] == ["traced"]


def test_many_are_one_statement(statements: list[str]) -> None:
    with transaction():
        for number in range(50):
            announce("lamp.made", lamp_id=number)
    assert len(statements) == 1
    assert len(told()) == 50


def test_a_transaction_without_events_says_nothing(statements: list[str]) -> None:
    with transaction():
        pass
    assert statements == []
