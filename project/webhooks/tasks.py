"""What workers do for webhooks: hand events over, and send."""

from __future__ import annotations

from functools import partial
from time import time

from flask import current_app

from project.db import transacted, transaction
from project.http.fields import spell
from project.jobs import chore, task
from project.webhooks import attempts, signing, transport
from project.webhooks.attempts import Message
from project.webhooks.dispatch import dispatch
from project.webhooks.transport import Reply

chore(seconds=1)(dispatch)


@task("webhooks.deliver", outside=True)
def deliver(delivery_id: int, by_hand: bool = False) -> None:
    """Send one delivery, with no transaction open meanwhile.

    An endpoint that fails is no failure of the job: when to try again is written at the delivery.
    """
    with transaction():
        message = attempts.begin(delivery_id, by_hand=by_hand)
    if message is not None:
        reply = _send(message)
        transacted(partial(attempts.end, delivery_id, reply))


def _send(message: Message) -> Reply:
    body = signing.body(message.type, spell(message.created_at), message.data)
    headers = signing.headers(f"evt_{message.event_id}", int(time()), body, message.secrets)
    headers["Content-Type"] = "application/json"
    private = current_app.config["WEBHOOK_PRIVATE_ADDRESSES"]
    return transport.post(message.url, body, headers, private=private)
