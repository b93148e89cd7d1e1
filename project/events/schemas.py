"""Events as documents."""

from __future__ import annotations

import marshmallow as ma

from project.db import INT8
from project.http.fields import Int, Json, Text, Timestamp
from project.http.schemas import Out, Query


class EventOut(Out):
    """Something that has happened."""

    id = Int(example=1)
    type = Text(max=50, example="user.updated")
    data = Json(
        example={"user_id": 1, "fields": ["bio"]},
        metadata={"description": "What it is about."},
    )
    actor_id = Int(allow_none=True, example=1)
    actor_name = Text(max=50, allow_none=True, example="ada")
    request_id = Text(max=128, example="01KAMZ5Q1V3N6T8W0X2Y4Z6A8B")
    created_at = Timestamp(example="2026-11-22T08:51:36.773621Z")


class EventsOut(Out):
    """Some events, in order."""

    items = ma.fields.List(ma.fields.Nested(EventOut))
    next_after = Int(
        allow_none=True,
        example=1,
        metadata={"description": "Send it as `after` to go on, now or later."},
    )


class EventQuery(Query):
    """Which events."""

    after = Int(
        max=INT8, metadata={"description": "The `id` of the last one known; 0 begins anew."}
    )
    type = Text(min=1, max=50, example="user.created")
    limit = Int(min=1, max=100, load_default=100)
