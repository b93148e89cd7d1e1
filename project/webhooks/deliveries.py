"""What can be done with deliveries: look at them, send a test, send again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import contains_eager
from sqlalchemy.orm.attributes import set_committed_value

from project.db import Event, Lookup, fetch, note, revise, save
from project.db.outbox import happened
from project.jobs import enqueue
from project.webhooks.models import Delivery, Webhook

LEASE = timedelta(minutes=2)  # longer than an attempt takes, with some time to wait for a worker
SORTABLE: dict[str, Any] = {"id": Delivery.id, "created_at": Delivery.created_at}


def search(
    webhook_id: int, status: str | None = None, event_type: str | None = None
) -> Select[Delivery]:
    """The deliveries to a webhook; raises NotFound."""
    fetch(Webhook, webhook_id)
    found = select(Delivery).join(Delivery.event).options(contains_eager(Delivery.event))
    found = found.where(Delivery.webhook_id == webhook_id)
    if status is not None:
        found = found.where(Delivery.status == status)
    if event_type is not None:
        found = found.where(Event.type == event_type)
    return found


def find(webhook_id: int, id: int) -> Lookup[Delivery]:
    """A delivery to this webhook."""
    return Lookup(Delivery, id, search(webhook_id))


def test(webhook_id: int) -> Delivery:
    """Send an event to this webhook only, be it active or not."""
    fetch(Webhook, webhook_id, lock=True)
    told = happened("webhook.test", {"webhook_id": webhook_id})
    event = save(Event(**told, dispatched=True))  # so that nobody else is told
    leased = func.now() + LEASE
    delivery = save(Delivery(webhook_id=webhook_id, event=event, leased_until=leased))
    return _send(delivery)


def redeliver(webhook_id: int, id: int) -> Delivery:
    """Send it once more and at once, be its webhook active or not; a failure of what has been
    tried too often already is final.
    """
    event = fetch(Delivery, id, among=search(webhook_id)).event
    due = {"status": "pending", "next_attempt_at": func.now(), "leased_until": func.now() + LEASE}
    delivery = revise(Delivery, id, due)
    set_committed_value(delivery, "event", event)
    return _send(delivery)


def _send(delivery: Delivery) -> Delivery:
    enqueue("webhooks.deliver", delivery_id=delivery.id, by_hand=True)
    note("webhook.delivery_asked", webhook_id=delivery.webhook_id, delivery_id=delivery.id)
    return delivery
