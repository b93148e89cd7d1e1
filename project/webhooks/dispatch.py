"""From the outbox to the queue: who is told of an event, and when an attempt begins.

The table of deliveries is the schedule; the queue holds no more than two attempts for a webhook,
so an endpoint that takes its time keeps two threads of the workers busy, and not all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    and_,
    exists,
    func,
    insert,
    lateral,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.orm import aliased
from sqlalchemy.sql.dml import ReturningUpdate

from project.db import Event, db
from project.jobs import enqueue_all
from project.webhooks.deliveries import LEASE
from project.webhooks.models import Delivery, Webhook

PORTION = 1000  # events that are handed over at once
AT_ONCE = 2  # attempts for a webhook

DUE = and_(
    Delivery.webhook_id == Webhook.id,
    Delivery.status == "pending",
    Delivery.next_attempt_at <= func.now(),
    or_(Delivery.leased_until.is_(None), Delivery.leased_until <= func.now()),
)


def dispatch() -> bool:
    """Make a delivery of each new event for each webhook that wants it, and begin what is due; say
    whether there is more.

    In one transaction: a kill leaves an event waiting, or its deliveries made. A webhook that is
    deleted meanwhile gets none.
    """
    waiting = select(Event.id).where(~Event.dispatched).order_by(Event.id).limit(PORTION)
    free = waiting.with_for_update(skip_locked=True).cte("free")
    marked = update(Event).where(Event.id == free.c.id).values(dispatched=True)
    new = marked.returning(Event.id, Event.type, Event.created_at).cte("new")
    wanted = select(Webhook.id, new.c.id).join(new, _wants(new)).order_by(new.c.id)
    held = wanted.with_for_update(read=True, key_share=True, of=Webhook)
    made = insert(Delivery).from_select(["webhook_id", "event_id"], held).cte("made")
    count = db.session.scalar(select(func.count()).select_from(new).add_cte(made))
    start()
    return count == PORTION


def start(webhook_id: int | None = None) -> None:
    """Queue what is due, of one webhook or all of them, up to so many attempts for each.

    Webhooks are held first, and counted in a statement of its own, so that two who do this at once
    do not begin twice as many; who comes second leaves it to the other.
    """
    ready = select(Webhook.id).where(Webhook.is_active, exists().where(DUE))
    if webhook_id is not None:
        ready = ready.where(Webhook.id == webhook_id)
    ids = db.session.scalars(ready.with_for_update(key_share=True, skip_locked=True)).all()
    begun = db.session.scalars(_lease(ids)).all() if ids else []
    if begun:
        enqueue_all("webhooks.deliver", [{"delivery_id": id} for id in sorted(begun)])


def _lease(webhook_ids: Sequence[int]) -> ReturningUpdate[tuple[int]]:
    """The UPDATE that takes the next deliveries of these webhooks."""
    other = aliased(Delivery)
    under_way = select(func.count()).where(
        other.webhook_id == Webhook.id, other.leased_until > func.now()
    )
    room = func.greatest(0, AT_ONCE - under_way.correlate(Webhook).scalar_subquery())
    order = (Delivery.next_attempt_at, Delivery.id)
    first = select(Delivery.id).where(DUE).order_by(*order).limit(room).correlate(Webhook)
    next_ones = lateral(first.with_for_update(skip_locked=True))
    found = select(next_ones.c.id).select_from(Webhook).join(next_ones, true())
    taken = found.where(Webhook.id.in_(webhook_ids)).cte("taken")  # run once, as a join may not be
    leased = update(Delivery).where(Delivery.id == taken.c.id)
    return leased.values(leased_until=func.now() + LEASE).returning(Delivery.id)


def _wants(event: Any) -> ColumnElement[bool]:
    """Whether a webhook is to be told of an event: it was there, active, and asked for its kind."""
    kind = func.unnest(Webhook.event_types).column_valued("kind")
    prefix = func.starts_with(event.c.type, func.rtrim(kind, "*"))
    fits = or_(kind == event.c.type, and_(kind.endswith(".*"), prefix))
    asked = or_(Webhook.event_types.is_(None), select(1).where(fits).exists())
    return and_(Webhook.is_active, Webhook.active_since <= event.c.created_at, asked)
