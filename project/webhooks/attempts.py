"""What an attempt sends, and what becomes of the delivery after it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import uniform
from typing import Any, NamedTuple

from sqlalchemy import exists, func, select

from project.db import Event, announce, db, note, revise, revision
from project.jobs import enqueue
from project.webhooks import dispatch, keys
from project.webhooks.models import Delivery, Webhook
from project.webhooks.transport import Reply

MINUTE, HOUR = 60, 3600
# Seconds before each further attempt: three days in all.
WAITS = (5, 5 * MINUTE, 30 * MINUTE, *(hours * HOUR for hours in (2, 5, 10, 14, 20, 24)))
JITTER = 0.1  # so that what failed together does not come again together
GONE = 410
BUSY = (429, 503)  # whose Retry-After is respected, up to the longest of the waits


class Message(NamedTuple):
    """What an attempt needs to know."""

    url: str
    event_id: int
    type: str
    created_at: datetime
    data: dict[str, Any]
    request_id: str
    secrets: Sequence[str]


def prepare(delivery_id: int, *, by_hand: bool) -> Message | None:
    """What is to be sent, if it still is: it may be delivered, put off or deleted meanwhile.

    A webhook that is not active keeps its deliveries for later, but for what is sent by hand.
    """
    asked = select(Webhook.is_active, Webhook.id, Webhook.url, Event)
    asked = asked.select_from(Delivery).join(Delivery.webhook).join(Delivery.event)
    leased = Delivery.id == delivery_id, Delivery.leased_until.is_not(None)
    row = db.session.execute(asked.where(*leased)).first()
    if row is None:
        return None
    is_active, webhook_id, url, event = row
    if not is_active and not by_hand:
        revise(Delivery, delivery_id, {"leased_until": None})
        return None
    told = (event.id, event.type, event.created_at, event.data, event.request_id)
    return Message(url, *told, keys.valid(webhook_id))


def end(delivery_id: int, reply: Reply) -> None:
    """Write what became of an attempt; after a success the next one begins."""
    held = select(Delivery).where(Delivery.id == delivery_id).with_for_update()
    delivery = db.session.scalar(held.execution_options(populate_existing=True))
    if delivery is None or delivery.status != "pending":
        return  # it went with its webhook, or another attempt succeeded meanwhile
    delivery = revise(Delivery, delivery_id, {**_told(reply), **_outcome(delivery, reply)})
    told = {"webhook_id": delivery.webhook_id, "delivery_id": delivery_id}
    note(f"webhook.{delivery.status}", **told, attempt=delivery.attempts, answer=reply.status)
    if delivery.status == "failed":
        _judge(delivery)
    if delivery.status == "delivered":
        dispatch.start(delivery.webhook_id)


def _told(reply: Reply) -> dict[str, Any]:
    now = func.statement_timestamp()
    return {
        "attempts": Delivery.attempts + 1,
        "first_attempt_at": func.coalesce(Delivery.first_attempt_at, now),
        "last_attempt_at": now,
        "leased_until": None,
        "response_status": reply.status,
        "response_excerpt": reply.excerpt if reply.status else None,
        "error": reply.error,
        "duration_ms": reply.milliseconds,
    }


def _outcome(delivery: Delivery, reply: Reply) -> dict[str, Any]:
    """Delivered, to be tried again, or failed for good."""
    now = func.statement_timestamp()
    if reply.is_success:
        return {"status": "delivered", "delivered_at": now, "next_attempt_at": None}
    if reply.status == GONE or delivery.attempts >= len(WAITS):
        return {"status": "failed", "next_attempt_at": None}
    wait = WAITS[delivery.attempts] * uniform(1, 1 + JITTER)  # no secret # nosec B311
    if reply.status in BUSY:
        wait = max(wait, min(reply.retry_after, WAITS[-1]))
    return {"next_attempt_at": now + timedelta(seconds=wait)}


def _judge(delivery: Delivery) -> None:
    """Disable a webhook that is gone, or has taken nothing since this delivery began."""
    if delivery.response_status == GONE:
        _disable(delivery.webhook_id, "gone")
        return
    since = Delivery.delivered_at >= delivery.first_attempt_at
    success = exists().where(Delivery.webhook_id == delivery.webhook_id, since)
    if not db.session.scalar(select(success)):
        _disable(delivery.webhook_id, "failing")


def _disable(id: int, reason: str) -> None:
    values = {"is_active": False, "disabled_at": func.now(), "disabled_reason": reason}
    disabled = revision(Webhook, values, Webhook.id == id, Webhook.is_active)
    if db.session.scalar(disabled.returning(Webhook.id)) is not None:
        announce("webhook.disabled", webhook_id=id, reason=reason)
        enqueue("webhooks.tell_of_end", webhook_id=id)
