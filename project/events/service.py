"""Events in an order in which none is ever skipped."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Select, select, text, tuple_, update

from project.db import Event, db, sweep
from project.errors import Invalid

KEPT = timedelta(days=30)
PORTION = 10_000  # events deleted in a statement

# The number that the next transaction gets, and those under way in this database (32 bits of
# them); where some sessions keep theirs from our role, the oldest of the whole server.
QUESTION = """
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next,
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest,
    coalesce(bool_or(query = '<insufficient privilege>'), false) AS hidden,
    coalesce(array_agg(backend_xid::text::bigint) FILTER (WHERE backend_xid IS NOT NULL), '{}')
        AS open
FROM pg_stat_activity
WHERE datname = current_database()
"""
UNDER_WAY = text(QUESTION.replace("::", "\\:\\:"))


def after(id: int | None = None, type: str | None = None) -> Select[Event]:
    """The events that follow this one, in the order of their transactions.

    Transactions commit in another order than ids are given. So it goes up to the oldest one that
    is still under way: whatever is yet to appear comes after all that has been answered.
    Raises Invalid for an event that is not there any more.
    """
    found = select(Event).where(Event.xid < _oldest())
    if id:
        place = select(Event.xid, Event.id).where(Event.id == id)
        if (last := db.session.execute(place).first()) is None:
            raise _gone(id)
        found = found.where(tuple_(Event.xid, Event.id) > tuple_(*last))
    if type is not None:
        found = found.where(Event.type == type)
    return found.order_by(Event.xid, Event.id)


def purge() -> int:
    """Delete a portion of the old ones, and say how many they were."""
    return sweep(Event.id, Event.created_at, PORTION, after=KEPT)


def settle() -> None:
    """Events that seem to be of future transactions came with a restored dump: they are old."""
    following = db.session.execute(UNDER_WAY).one().next
    db.session.execute(update(Event).where(Event.xid >= following).values(xid=0))


def _oldest() -> int:
    """The number of the oldest transaction that may still write events, or of the next one.

    Asked for in a statement before the one that reads: who ends in between is seen by that.
    """
    found = db.session.execute(UNDER_WAY).one()
    if found.hidden:
        return int(found.oldest)
    near = ((xid - found.next + 2**31) % 2**32 - 2**31 for xid in found.open)  # before or after it
    return int(found.next + min([0, *near]))


def _gone(id: int) -> Invalid:
    wrong = {"in": "query", "field": "after", "code": "unknown_event"}
    sentence = f"There is no event {id}, or no longer; begin anew without it."
    return Invalid([{**wrong, "message": sentence}])
