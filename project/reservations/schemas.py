"""Reservations as documents."""

from __future__ import annotations

from project.db import INT8
from project.http.fields import Choice, Ids, Int, Many, Text, Timestamp
from project.http.schemas import Out, Query, Schema
from project.products.stock.schemas import MOST, NOW
from project.reservations.models import STATUSES

LINES = 100
DAY = 86_400  # seconds


class ReservedLine(Schema):
    """So many of a product."""

    product_id = Int(min=1, max=INT8, required=True, example=1)
    quantity = Int(min=1, max=MOST, required=True, example=2)


class ReservationIn(Schema):
    """What is to be held, all of it or nothing, and for how long."""

    lines = Many(ReservedLine, most=LINES, required=True)
    ttl_seconds = Int(
        min=1,
        max=DAY,
        load_default=900,
        example=900,
        metadata={"description": "It ends by itself after so many seconds."},
    )
    reference = Text(
        max=255,
        allow_none=True,
        example="cart 17",
        metadata={"description": "Whose it is; its movements will say so too."},
    )


class ExtensionIn(Schema):
    """How long it is to be held from now on."""

    ttl_seconds = Int(min=1, max=DAY, required=True, example=900)


class ReservationLine(Out):
    """So many of a product."""

    product_id = Int(example=1)
    quantity = Int(example=2)


class ReservationOut(Out):
    """What is held for somebody until `expires_at`, unless it is committed or released before."""

    id = Int(example=1)
    status = Choice(*STATUSES, example="open")
    lines = Many(ReservationLine, most=LINES)
    reference = Text(max=255, allow_none=True, example="cart 17")
    expires_at = Timestamp(example="2026-11-22T09:06:36.773621Z")
    movement_ids = Ids(
        most=LINES,
        allow_none=True,
        metadata={"description": "Once committed, its movements, each in the place of its line."},
    )
    actor_id = Int(
        allow_none=True, example=1, metadata={"description": "The user who made the reservation."}
    )
    version = Int(example=1)
    created_at = Timestamp(example=NOW)
    updated_at = Timestamp(example=NOW)


class ReservationQuery(Query):
    """Which reservations."""

    status = Choice(*STATUSES)
    product_id = Int(min=1, max=INT8, metadata={"description": "Those with a line of it."})
    reference = Text(min=1, max=255, metadata={"description": "Exactly this reference."})
