"""The outbox: an event is a row in the transaction of the change that it tells of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Index,
    Insert,
    Select,
    String,
    bindparam,
    func,
    insert,
    literal,
    select,
    text,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from project import origin
from project.db.models import Base, Id


class Event(Base):
    """What has happened, and who did it under which request id.

    xid: the number of its transaction. Ids are given before the commit, so a smaller one may
    appear later; ordered by (xid, id), and up to the oldest transaction still under way, none does.
    dispatched: whether it has been handed to whoever subscribed.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_xid", "xid", "id"),
        Index("ix_events_created_at", "created_at", postgresql_using="brin"),
        Index("ix_events_waiting", "id", postgresql_where=text("NOT dispatched")),
    )

    id: Mapped[Id]
    xid: Mapped[int] = mapped_column(
        BigInteger, server_default=text("pg_current_xact_id()::text::bigint")
    )
    type: Mapped[str] = mapped_column(String(50))
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    actor_id: Mapped[int | None] = mapped_column(BigInteger)  # no foreign key: history stays
    actor_name: Mapped[str | None] = mapped_column(String(50))
    request_id: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    dispatched: Mapped[bool] = mapped_column(server_default=text("false"))


EVENTS = Event.metadata.tables["events"]


def happened(type: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the outbox, from who acts now."""
    return {"type": type, "data": data, **_source()}


def told(type: str, data: Mapping[str, Any]) -> Select[Any]:
    """The type and the data of an event, for each row that the columns of the data are of."""
    document = func.jsonb_build_object(*chain.from_iterable(data.items()), type_=JSONB)
    return select(literal(type).label("type"), document.label("data"))


def announced(*told: Select[Any], actor: FromClause | None = None) -> Insert:
    """The INSERT of events of rows that a statement writes, those told first before the rest.

    actor: who acts, with `id` and `name`, where the statement finds out; else whoever acts now.
    """
    events = union_all(*told).subquery("told")
    if actor is None:
        by: dict[str, ColumnElement[Any]] = {
            name: literal(value, EVENTS.c[name].type) for name, value in _source().items()
        }
    else:
        by = {"actor_id": actor.c.id, "actor_name": actor.c.name}
        by["request_id"] = bindparam("request_id", type_=String)
    cells = {"type": events.c.type, "data": events.c.data, **by}
    rows = events if actor is None else events.join(actor, true())
    return insert(EVENTS).from_select([*cells], select(*cells.values()).select_from(rows))


def _source() -> dict[str, Any]:
    source = origin.current()
    return {
        "actor_id": source.actor_id,
        "actor_name": source.actor_name,
        "request_id": source.request_id,
    }
