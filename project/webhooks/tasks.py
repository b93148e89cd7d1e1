"""What workers do for webhooks: hand events over, and send."""

from __future__ import annotations

from functools import partial
from time import time

from flask import current_app

from project import mail, origin
from project.db import reading, transacted, transaction
from project.http.fields import spell
from project.jobs import chore, task
from project.webhooks import attempts, service, signing, transport
from project.webhooks.attempts import Message
from project.webhooks.dispatch import dispatch
from project.webhooks.transport import Reply

WHY = {"gone": "answered 410 Gone", "failing": "has taken nothing for three days"}

chore(seconds=1)(dispatch)


@task("webhooks.deliver", outside=True, priority=-1)  # a slow endpoint keeps no mail waiting
def deliver(delivery_id: int, by_hand: bool = False) -> None:
    """Send one delivery, with no transaction open meanwhile.

    An endpoint that fails is no failure of the job: when to try again is written at the delivery.
    """
    with transaction():
        message = attempts.prepare(delivery_id, by_hand=by_hand)
    if message is not None:
        if not by_hand:  # else the log follows who asked for it
            origin.enter(message.request_id)
        reply = _send(message)
        transacted(partial(attempts.end, delivery_id, reply))


@task("webhooks.tell_of_end", waits=mail.WAITS, outside=True)
def tell_of_end(webhook_id: int) -> None:
    """Mail to who made a webhook that it was disabled, and how to resume it."""
    with reading():
        found = service.disabled(webhook_id)
        if found is None:
            return
        webhook, user = found
        told = {"description": webhook.description, "why": WHY[webhook.disabled_reason or ""]}
        to = user.email
    mail.deliver("webhook_disabled", to=to, webhook_id=webhook_id, **told)


def _send(message: Message) -> Reply:
    body = signing.body(message.type, spell(message.created_at), message.data)
    headers = signing.headers(f"evt_{message.event_id}", int(time()), body, message.secrets)
    headers |= {"Content-Type": "application/json", "X-Request-Id": message.request_id}
    private = current_app.config["WEBHOOK_PRIVATE_ADDRESSES"]
    return transport.post(message.url, body, headers, private=private)
