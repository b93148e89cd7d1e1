"""Webhooks and deliveries as documents."""

from __future__ import annotations

import re
from typing import Any

from project.http.fields import Choice, Int, StrictBoolean, Text, Timestamp, Value
from project.http.schemas import Patch, Query, Schema, Stored
from project.webhooks.addresses import URL
from project.webhooks.models import REASONS, STATUSES

NOW = "2026-11-22T08:51:36.773621Z"
TYPE = r"[a-z][a-z_]*(\.[a-z_]+)*\.([a-z_]+|\*)"
MOST = 50
SECRET = "whsec_3nqS6cK0x1Q7Jm9pWv5bYt2uZr8eLh4dAfGkXiNoTyU="  # an example # nosec B105


class EventTypes(Value):
    """Types of events, each counted once; all of a kind by `.*` at the end."""

    default_error_messages = {
        "invalid": "Must be a list of types of events.",
        "length": "Must hold 1 to {most}.",
        "type": 'Must hold types such as "user.created" or "user.*".',
    }
    json_type = "array"

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> list[str]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        if not 1 <= len(value) <= MOST:
            raise self.make_error("length", most=MOST)
        if not all(isinstance(each, str) and _is_type(each) for each in value):
            raise self.make_error("type")
        return list(dict.fromkeys(value))

    def limits(self) -> dict[str, Any]:
        each = {"type": "string", "maxLength": 50, "pattern": f"^{TYPE}$"}
        length = {} if self.dump_only else {"minItems": 1, "maxItems": MOST}
        return {"items": each, **length}


def _is_type(text: str) -> bool:
    return len(text) <= 50 and re.fullmatch(TYPE, text) is not None


class WebhookIn(Schema):
    """An endpoint to be told of events: of all, unless it says which."""

    url = Text(
        min=1,
        max=2000,
        pattern=URL,
        allowed="http:// or https://, a host, perhaps a port, a path and a query, in ASCII",
        required=True,
        example="https://shop.example/hook",
        metadata={"description": "Where deliveries are sent. No user info, no fragment."},
    )
    description = Text(max=255, allow_none=True, example="Tells the others.")
    event_types = EventTypes(
        allow_none=True,
        example=["user.created", "webhook.*"],
        metadata={"description": "Exact types, or all of a kind by `.*`; null: all types."},
    )
    is_active = StrictBoolean(example=True)


class WebhookPatch(Patch, WebhookIn):
    """The fields to change. What happened while it was not active is never sent."""


class WebhookOut(Stored, WebhookIn):
    """A webhook as it is answered: without its secret."""

    disabled_at = Timestamp(
        allow_none=True,
        metadata={"description": "When it was deactivated by itself; activating it clears this."},
    )
    disabled_reason = Choice(
        *REASONS,
        allow_none=True,
        metadata={"description": "`gone`: it answered 410; `failing`: all failed for three days."},
    )
    creator_id = Int(allow_none=True, example=1)


class WebhookSecretOut(WebhookOut):
    """A webhook with its new secret, which is never answered again."""

    secret = Text(
        max=64,
        example=SECRET,
        metadata={"description": "The key of its signatures, as Standard Webhooks writes it."},
    )


class WebhookQuery(Query):
    """Which webhooks."""

    is_active = StrictBoolean(metadata={"description": "true: active ones; false: the others."})


class DeliveryOut(Stored):
    """An event on its way to a webhook: `failed` when it will not be tried again."""

    webhook_id = Int(example=1)
    event_id = Int(example=1, metadata={"description": "Its `webhook-id` is `evt_` and this."})
    event_type = Text(max=50, example="webhook.test")
    status = Choice(*STATUSES, example="pending")
    attempts = Int(example=0)
    first_attempt_at = Timestamp(allow_none=True)
    last_attempt_at = Timestamp(allow_none=True, example=NOW)
    next_attempt_at = Timestamp(
        allow_none=True, metadata={"description": "When it is due, while it is pending."}
    )
    delivered_at = Timestamp(allow_none=True)
    response_status = Int(allow_none=True)
    response_excerpt = Text(
        max=1024,
        allow_none=True,
        example="",
        metadata={"description": "How the last answer began."},
    )
    error = Text(
        max=255,
        allow_none=True,
        metadata={"description": "Why the last attempt had no answer."},
    )
    duration_ms = Int(allow_none=True)


class DeliveryQuery(Query):
    """Which deliveries."""

    status = Choice(*STATUSES, metadata={"description": "Those in this status."})
    event_type = Text(
        min=1, max=50, example="user.created", metadata={"description": "Those of this type."}
    )
