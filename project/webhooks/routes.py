"""/webhooks: whom to tell what happened, and each delivery."""

from __future__ import annotations

from typing import Any

from flask import current_app
from sqlalchemy import Select

from project.db import Lookup
from project.errors import InUse, NotFound, Stale
from project.http import etag
from project.http.blueprint import Blueprint
from project.http.guards import actor
from project.webhooks import deliveries, service
from project.webhooks.models import Delivery, Webhook
from project.webhooks.schemas import (
    DeliveryOut,
    DeliveryQuery,
    WebhookIn,
    WebhookOut,
    WebhookPatch,
    WebhookQuery,
    WebhookSecretOut,
)

blp = Blueprint("webhooks", __name__, description="Endpoints that are told what happened.")

MISSING = NotFound("Webhook with id 9 not found")
NO_DELIVERY = NotFound("Delivery with id 9 not found")
MOVED_ON = Stale('Webhook 1 has changed, its ETag is "1-3" now; read it again')
PLACE = {"id": "webhook_id", "delivery_id": "id"}


@blp.get("/")
@blp.superuser
@blp.page(WebhookOut, WebhookQuery, service.SORTABLE)
def list_webhooks(**query: Any) -> Select[Webhook]:
    """List webhooks"""
    return service.search(**query)


@blp.post("/")
@blp.superuser
@blp.arguments(WebhookIn)
@blp.created(WebhookSecretOut, at="webhooks.get_webhook")
def create_webhook(values: dict[str, Any]) -> Webhook:
    """Create a webhook

    Its secret is answered here and never again. It takes no Idempotency-Key, since an answer with
    a secret is stored nowhere: who gets none lists, and renews the secret or deletes the webhook.
    """
    return service.create(values, by=actor(), private=may_be_private())


@blp.get("/<id:id>")
@blp.superuser
@blp.item(WebhookOut)
@blp.refuses(MISSING)
def get_webhook(id: int) -> Lookup[Webhook]:
    """Get a webhook"""
    return service.find(id)


@blp.patch("/<id:id>")
@blp.superuser
@blp.once
@blp.arguments(WebhookPatch)
@blp.item(WebhookOut)
@blp.refuses(MISSING, MOVED_ON)
def patch_webhook(values: dict[str, Any], id: int) -> Webhook:
    """Change some fields of a webhook

    `"is_active": true` takes up one that was disabled: deliveries that were pending go on.
    """
    return service.update(id, values, etag.expected(id), private=may_be_private())


@blp.delete("/<id:id>")
@blp.superuser
@blp.nothing
@blp.refuses(InUse, MISSING, MOVED_ON)
def delete_webhook(id: int) -> None:
    """Delete a webhook and its deliveries for good"""
    service.delete(id, etag.expected(id))


@blp.post("/<id:id>/rotate-secret")
@blp.superuser
@blp.item(WebhookSecretOut)
@blp.refuses(MISSING, MOVED_ON)
def rotate_secret(id: int) -> Webhook:
    """Renew the secret of a webhook

    The new one is answered here and never again; the old one signs besides for 24 hours. It takes
    no Idempotency-Key, since an answer with a secret is stored nowhere.
    """
    return service.rotate_secret(id, etag.expected(id))


@blp.post("/<id:id>/test")
@blp.superuser
@blp.once
@blp.item(DeliveryOut, 202, at="webhooks.get_delivery", place=PLACE)
@blp.refuses(MISSING)
def test_webhook(id: int) -> Delivery:
    """Send a test to a webhook

    An event `webhook.test` to this one only, be it active or not.
    """
    return deliveries.test(id)


@blp.get("/<id:id>/deliveries/")
@blp.superuser
@blp.page(DeliveryOut, DeliveryQuery, deliveries.SORTABLE, order="-id")
@blp.refuses(MISSING)
def list_deliveries(id: int, **query: Any) -> Select[Delivery]:
    """List the deliveries to a webhook, the newest first

    They are kept as long as their events, for 30 days.
    """
    return deliveries.search(id, **query)


@blp.get("/<id:id>/deliveries/<id:delivery_id>")
@blp.superuser
@blp.item(DeliveryOut)
@blp.refuses(MISSING, NO_DELIVERY)
def get_delivery(id: int, delivery_id: int) -> Lookup[Delivery]:
    """Get a delivery"""
    return deliveries.find(id, delivery_id)


@blp.post("/<id:id>/deliveries/<id:delivery_id>/redeliver")
@blp.superuser
@blp.once
@blp.item(DeliveryOut, 202, at="webhooks.get_delivery", place=PLACE)
@blp.refuses(MISSING, NO_DELIVERY)
def redeliver(id: int, delivery_id: int) -> Delivery:
    """Send a delivery once more

    The same bytes under the same `webhook-id`, at once, be the webhook active or not.
    """
    return deliveries.redeliver(id, delivery_id)


def may_be_private() -> bool:
    """Whether webhooks may lead to addresses that are not public."""
    return bool(current_app.config["WEBHOOK_PRIVATE_ADDRESSES"])
