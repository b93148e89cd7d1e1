"""Two at once, on connections of their own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from sqlalchemy import delete, select

from project.db import Event, announce, db, transaction
from project.http.app import App
from project.webhooks.dispatch import AT_ONCE, dispatch, start
from project.webhooks.models import Delivery, Webhook
from tests.server import Server
from tests.webhooks.make import make_webhook

BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


@pytest.fixture
def hook(beside: App) -> Iterator[int]:
    """A webhook with ten events that nobody has handed over."""
    with beside.app_context():
        with transaction():
            id = make_webhook().id
        with transaction():
            for _ in range(10):
                announce("lamp.low")
        yield id
        with transaction():
            db.session.execute(delete(Webhook))
            db.session.execute(delete(Event))


@pytest.fixture
def hand(server: Server) -> Iterator[psycopg2.extensions.connection]:
    """Another connection."""
    with closing(server.connect()) as connection:
        yield connection


def leased() -> int:
    found = select(Delivery.id).where(Delivery.leased_until.is_not(None))
    return len(db.session.scalars(found).all())


def wait_for_lock(connection: Any) -> None:
    with connection.cursor() as cursor:
        while True:
            cursor.execute(BLOCKED)
            if cursor.fetchone()[0]:
                return


def test_who_comes_second_leaves_it_to_the_first(hook: int, hand: Any) -> None:
    with hand.cursor() as cursor:
        cursor.execute("SELECT FROM webhooks WHERE id = %s FOR NO KEY UPDATE", [hook])
        with transaction():
            dispatch()
        assert leased() == 0
    hand.rollback()
    with transaction():
        start()
    assert leased() == AT_ONCE


def test_many_at_once_hand_each_event_over_once(beside: App, hook: int) -> None:
    def hand_over(_: int) -> None:
        with beside.app_context(), transaction():
            dispatch()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(hand_over, range(12)))
    assert len(db.session.scalars(select(Delivery.id)).all()) == 10
    assert leased() == AT_ONCE


def test_a_webhook_that_is_deleted_meanwhile_gets_none(
    beside: App, server: Server, hook: int, hand: Any
) -> None:
    def hand_over() -> None:
        with beside.app_context(), transaction():
            dispatch()

    with ThreadPoolExecutor(1) as pool, hand.cursor() as cursor:
        cursor.execute("DELETE FROM webhooks WHERE id = %s", [hook])
        handing = pool.submit(hand_over)
        with closing(server.connect()) as watching:
            wait_for_lock(watching)
        hand.commit()
        handing.result()
    assert db.session.scalars(select(Delivery.id)).all() == []
    assert db.session.scalars(select(Event.id).where(~Event.dispatched)).all() == []
