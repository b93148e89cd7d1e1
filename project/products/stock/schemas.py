"""Stock and its movements as documents."""

from __future__ import annotations

from project.db import INT8
from project.http.fields import Choice, Int, Many, Text, Timestamp
from project.http.schemas import Out, Query, Schema
from project.products.models import MAX_STOCK
from project.products.stock.models import KINDS

MOST = 1_000_000  # pieces in one movement
NOW = "2026-11-22T08:51:36.773621Z"


class MovementIn(Schema):
    """What comes, or with a minus goes, and why."""

    quantity = Int(min=-MOST, max=MOST, zero=False, required=True, example=-2)
    reason = Text(min=1, max=255, required=True, example="sold")
    reference = Text(max=255, allow_none=True, example="invoice 489434")
    expected_stock = Int(
        max=MAX_STOCK,
        example=12,
        metadata={"description": "What is in stock, as far as the caller knows; else 412."},
    )


class LineIn(Schema):
    """One movement of several."""

    product_id = Int(min=1, max=INT8, required=True, example=1)
    quantity = Int(min=-MOST, max=MOST, zero=False, required=True, example=-2)
    reason = Text(max=255, allow_none=True, example="sold")
    reference = Text(max=255, allow_none=True, example="invoice 489434")


class BatchIn(Schema):
    """Movements that happen together or not at all; `reason` and `reference` hold for each line
    that has none of its own.
    """

    movements = Many(LineIn, most=100, required=True)
    reason = Text(max=255, allow_none=True, example="sold")
    reference = Text(max=255, allow_none=True, example="invoice 489434")


class CountIn(Schema):
    """How many are there, counted by hand."""

    counted = Int(max=MAX_STOCK, required=True, example=11)
    reason = Text(max=255, allow_none=True, example="stocktaking")


class MovementOut(Out):
    """A line of the ledger. It is never changed, and outlives whoever wrote it."""

    id = Int(example=1)
    product_id = Int(example=1)
    quantity = Int(example=-2)
    balance_after = Int(example=10)
    kind = Choice(*KINDS, example="adjustment")
    reason = Text(max=255, allow_none=True, example="sold")
    reference = Text(max=255, allow_none=True, example="invoice 489434")
    reverses_id = Int(
        allow_none=True, metadata={"description": "The movement that this one takes back."}
    )
    actor_id = Int(allow_none=True, example=1)
    actor_name = Text(
        max=50,
        allow_none=True,
        example="ada",
        metadata={"description": "The user's name at that time."},
    )
    request_id = Text(max=128, example="01KAMZ5Q1V3N6T8W0X2Y4Z6A8B")
    created_at = Timestamp(example=NOW)


class BatchOut(Out):
    """The movements, each in the place of its line."""

    movements = Many(MovementOut, most=100)


class StockOut(Out):
    """What is in stock at an instant."""

    product_id = Int(example=1)
    stock = Int(example=12)
    at = Timestamp(example=NOW)


class StockAt(Query):
    """When."""

    at = Timestamp(
        example=NOW, metadata={"description": "An instant of the past; now, if it is not given."}
    )


class MovementQuery(Query):
    """Which movements."""

    reference = Text(min=1, max=255, metadata={"description": "Exactly this reference."})
    kind = Choice(*KINDS)
    actor_id = Int(min=1, max=INT8, metadata={"description": "Those of this user."})
    since = Timestamp(metadata={"description": "At this instant or later."})
    until = Timestamp(metadata={"description": "Before this instant."})


class InvoiceRow(Schema):
    """A line of an invoice, as the cells of a file spell it."""

    spelled = True

    invoice = Text(min=1, max=255, required=True)
    code = Text(min=1, max=255, required=True)
    quantity = Int(min=-MOST, max=MOST, zero=False, required=True)


class NameRow(Schema):
    """What the product of a stock code is called."""

    code = Text(min=1, max=255, required=True)
    name = Text(min=1, max=255, required=True)
