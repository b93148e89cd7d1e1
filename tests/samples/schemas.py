"""Samples as documents."""

from __future__ import annotations

from decimal import Decimal

from project.http.fields import Int, Money, Note, StrictBoolean, Text
from project.http.schemas import Out, Patch, Query, Schema, Stored


class SampleIn(Schema):
    """A sample to be made."""

    name = Text(min=1, max=255, required=True, example="Chalk")
    description = Note(max=2000, example="White.")
    price = Money(required=True, example="29.90")
    amount = Int(example=12)
    is_active = StrictBoolean(example=True)


class SamplePatch(Patch, SampleIn):
    """The fields to change."""


class SampleOut(Stored, SampleIn):
    """A sample as it is answered."""


class SampleQuery(Query):
    """Which samples."""

    active_only = StrictBoolean(load_default=False)
    price_min = Money(min=Decimal(0))


class SampleSearch(SampleQuery):
    """Which samples, by a part of their name."""

    q = Text(min=1, max=255, required=True, example="chalk")


class TakeQuery(Query):
    """How many come or go."""

    quantity = Int(min=-1_000_000, max=1_000_000, zero=False, required=True, example=-2)
    reason = Text(max=255, example="tried")


class FileFlags(Query):
    """How a file is to be taken."""

    dry_run = StrictBoolean(load_default=False)


class FileOut(Out):
    """A file as it came."""

    size = Int(required=True, example=4)
    digest = Text(max=64, required=True, example="ab")
