"""Sessions as documents."""

from __future__ import annotations

from project.http.fields import Int, StrictBoolean, Text, Timestamp
from project.http.schemas import Schema


class SessionOut(Schema):
    """Somebody signed in somewhere."""

    id = Int(required=True, dump_only=True, example=1)
    user_agent = Text(max=255, required=True, dump_only=True, example="curl/8.5.0")
    address = Text(max=45, required=True, dump_only=True, example="192.0.2.7")
    is_current = StrictBoolean(required=True, dump_only=True, example=True)
    created_at = Timestamp(required=True, dump_only=True, example="2026-11-22T08:51:36.773621Z")
    refreshed_at = Timestamp(required=True, dump_only=True, example="2026-11-22T09:06:12.000042Z")
    expires_at = Timestamp(required=True, dump_only=True, example="2026-12-22T09:06:12.000042Z")
