"""/events: what has happened."""

from __future__ import annotations

from typing import Any

from project.db import db
from project.events import service
from project.events.schemas import EventQuery, EventsOut
from project.http.blueprint import Blueprint

blp = Blueprint("events", __name__, description="What has happened, in order.")


@blp.get("/")
@blp.superuser
@blp.arguments(EventQuery, "query")
@blp.document(EventsOut)
def list_events(limit: int, after: int | None = None, type: str | None = None) -> dict[str, Any]:
    """List what has happened after an event

    None is ever skipped: ask again with `next_after`, and what comes is all that has happened
    since. Ids need not go up along the list.
    """
    found = db.session.scalars(service.after(after, type).limit(limit)).all()
    return {"items": found, "next_after": found[-1].id if found else after or None}
