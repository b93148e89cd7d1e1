"""Instants and days."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import ColumnElement, func

from project.http.fields.value import NULL, Value, constant

FORM = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
ZONE, SPELLING, QUOTED = map(constant, ("UTC", FORM, rf"\"{FORM}\""))


class Timestamp(Value):
    """An instant: ISO 8601 (RFC 3339) in UTC, with microseconds and Z."""

    default_error_messages = {
        "invalid": "Must be an instant such as 2026-11-22T08:51:36.773621Z.",
    }

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else spell(value)

    def sql(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.to_char(func.timezone(ZONE, column), SPELLING)

    def json(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.coalesce(func.to_char(func.timezone(ZONE, column), QUOTED), NULL)  # of infinity

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> datetime:
        try:
            if not isinstance(value, str) or len(value) > 40 or not value.isascii():
                raise ValueError("no instant is spelled like this")
            found = datetime.fromisoformat(value)
            if found.tzinfo is None:
                raise ValueError("an instant needs its offset from UTC")
            return found.astimezone(UTC)
        except (ValueError, OverflowError):
            raise self.make_error("invalid") from None

    def limits(self) -> dict[str, Any]:
        return {"format": "date-time"}


def spell(instant: datetime) -> str:
    """An instant as every document writes it."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Date(Value):
    """A day of the calendar: ISO 8601, as `2026-11-22`."""

    default_error_messages = {"invalid": "Must be a date such as 2026-11-22."}

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else value.isoformat()

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> date:
        try:
            if not isinstance(value, str) or not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
                raise ValueError("no day is spelled like this")
            return date.fromisoformat(value)
        except ValueError:
            raise self.make_error("invalid") from None

    def limits(self) -> dict[str, Any]:
        return {"format": "date"}
