"""Products as documents."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

import marshmallow as ma

from project.http.body import Loader
from project.http.fields import Int, Money, Note, StrictBoolean, Text
from project.http.schemas import Out, Patch, Query, Schema, Stored
from project.products import bulk


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


validate_row = Loader(ProductRow(), "row")


class ProductPatch(Patch, ProductIn):
    """The fields to change."""


class ProductOut(Stored, ProductIn):
    """A product as it is answered."""

    available = Int(
        example=12,
        metadata={
            "description": "What of the stock nobody has reserved; below zero where fewer are "
            "there than were."
        },
    )


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


class ImportFlags(Query):
    """How a file is to be taken."""

    dry_run = StrictBoolean(
        load_default=False,
        metadata={"description": "Answer the report at once, and write nothing."},
    )
    update = StrictBoolean(
        load_default=False,
        metadata={"description": "Change the products that are there already."},
    )
    skip_refused = StrictBoolean(
        load_default=False,
        metadata={"description": "Keep the good rows if some are refused."},
    )


def column(field: str) -> ma.fields.Field[Any]:
    """What the header of a file calls a field."""
    sentence = f"The column that holds {field}; `{field}` if not given."
    name = f"{field}_column"
    return Text(min=1, max=255, data_key=name, metadata={"description": sentence})


COLUMNS = {field: column(field) for field in bulk.FIELDS}
ProductImport = cast("type[Query]", ImportFlags.from_dict(COLUMNS, name="ProductImport"))


class RefusedRow(Out):
    """Why a row is refused; one with several reasons is there once for each."""

    line = Int(example=3)
    field = Text(max=100, example="price")
    code = Text(max=50, example="out_of_range")
    message = Text(max=1000, example="Must be between 0.01 and 99999999.99.")


class ImportReport(Out):
    """What was done with the rows of a file, or would be: `written` says which."""

    rows = Int(example=2)
    new = Int(example=1)
    changed = Int(example=0)
    unchanged = Int(example=0)
    refused = Int(example=1)
    written = StrictBoolean(example=False)
    ignored_columns = ma.fields.List(Text(max=100, example="StockCode"))
    refusals = ma.fields.List(ma.fields.Nested(RefusedRow))
    refusals_omitted = Int(example=0)
