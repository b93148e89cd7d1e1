"""The bases of schemas: documents, changes, and what a query may ask."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from project.http.fields import Int, Message, Timestamp


class Schema(ma.Schema):
    """A document; fields it does not know are refused."""

    error_messages = {
        "unknown": Message("Unknown field.", "unknown"),
        "type": Message("Must be a JSON object.", "invalid"),
    }


class Patch(Schema):
    """A change: any of the fields, at least one of them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(partial=True, **kwargs)

    @ma.validates_schema(skip_on_field_errors=True)
    def _something(self, values: dict[str, Any], **_: Any) -> None:
        if not values:
            raise ma.ValidationError([Message("Send at least one field.", "required")])


class Query(Schema):
    """The parameters of a query string, where every value is spelled."""

    spelled = True


class Out(Schema):
    """A document that is answered: all its fields are there, and none is read."""

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field[Any]) -> None:
        """Answered fields are always there and never read."""
        field_obj.dump_only = field_obj.required = True
        field_obj.load_default = ma.missing


class Stored(Out):
    """An item as it is answered: its fields in, all of them there, and what the server adds.

    Write `class SupplierOut(Stored, SupplierIn)`.
    """

    id = Int(example=1)
    version = Int(example=1)
    created_at = Timestamp(example="2026-11-22T08:51:36.773621Z")
    updated_at = Timestamp(example="2026-11-22T08:51:36.773621Z")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for fields in (self.fields, self.dump_fields):  # a reader looks for the id first
            rest = {name: fields.pop(name) for name in list(fields) if name != "id"}
            fields.update(rest)
