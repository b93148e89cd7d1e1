"""Products as documents."""

from __future__ import annotations

from decimal import Decimal

from project.http.fields import Int, Money, Note, StrictBoolean, Text
from project.http.schemas import Patch, Query, Schema, Stored


class ProductIn(Schema):
    """A product to be made."""

    name = Text(min=1, max=255, required=True, example="Desk lamp")
    description = Note(max=2000, example="Brass, with a green shade.")
    price = Money(required=True, example="29.90")
    stock = Int(example=12)
    low_stock_threshold = Int(
        allow_none=True,
        example=5,
        metadata={"description": "With so many or fewer in stock it is low; null: it never is."},
    )
    is_active = StrictBoolean(example=True)


class ProductRow(ProductIn):
    """A product to be made, as the cells of a file spell it."""

    spelled = True


class ProductPatch(Patch, ProductIn):
    """The fields to change."""


class ProductOut(Stored, ProductIn):
    """A product as it is answered."""


class ProductQuery(Query):
    """Which products."""

    active_only = StrictBoolean(
        load_default=False, metadata={"description": "Leave out inactive ones."}
    )
    price_min = Money(min=Decimal(0), metadata={"description": "This price or more."})
    price_max = Money(min=Decimal(0), metadata={"description": "This price or less."})
    in_stock = StrictBoolean(metadata={"description": "true: some in stock; false: none."})


class ProductSearch(ProductQuery):
    """Which products, by a part of their name."""

    q = Text(
        min=1,
        max=255,
        required=True,
        example="lamp",
        metadata={"description": "Part of the name, in any case."},
    )


class LowQuery(Query):
    """Which of the products that are low."""

    active_only = StrictBoolean(
        load_default=False, metadata={"description": "Leave out inactive ones."}
    )


class StockQuery(Query):
    """How many come or go, and why."""

    quantity = Int(
        min=-1_000_000,
        max=1_000_000,
        zero=False,
        required=True,
        example=-2,
        metadata={"description": "What is added; negative takes away."},
    )
    reason = Text(max=255, example="sold", metadata={"description": "Why; the ledger keeps it."})
