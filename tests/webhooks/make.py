"""Webhooks for tests."""

from __future__ import annotations

from typing import Any

from project.db import save
from project.webhooks import keys
from project.webhooks.models import Webhook


def make_webhook(**values: Any) -> Webhook:
    """A stored webhook with its secret; `values` replace what it is made of."""
    webhook = save(Webhook(**{"url": "https://shop.example/hook", **values}))
    webhook.secret = keys.renew(webhook.id)
    return webhook
