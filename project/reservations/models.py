"""A reservation: products that are held until it is committed or released, or its time is over."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    FetchedValue,
    Index,
    String,
    and_,
    case,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from project.db import Item, tag_of
from project.products.models import Hold

OUTCOMES = ("committed", "released")


class Reservation(Item):
    """What was promised to somebody, and what became of it.

    outcome: how it was closed, by somebody; that its time is over is written nowhere.
    movement_ids: once it is committed, its movements in the order of its lines.
    """

    __tablename__ = "reservations"
    __table_args__ = (
        CheckConstraint(f"outcome IN {OUTCOMES}", name="outcome_known"),
        # one for each status and the reference, newest first; what is open is never much
        Index("ix_reservations_open", "expires_at", "id", postgresql_where=text("outcome IS NULL")),
        Index(
            "ix_reservations_closed",
            *("outcome", "id"),
            postgresql_where=text("outcome IS NOT NULL"),
        ),
        Index(
            "ix_reservations_reference",
            *("reference", "id"),
            postgresql_where=text("reference IS NOT NULL"),
        ),
    )

    reference: Mapped[str | None] = mapped_column(String(255))
    expires_at: Mapped[datetime] = mapped_column(FetchedValue())  # by the clock of the database
    outcome: Mapped[str | None] = mapped_column(String(20))
    movement_ids: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    actor_id: Mapped[int | None] = mapped_column(BigInteger)  # no foreign key: it may go

    lines: Mapped[list[Hold]] = relationship(order_by=Hold.id, lazy="selectin")
    if TYPE_CHECKING:
        status: Mapped[str]

    def __init__(self, **values: Any) -> None:
        """New, and so open."""
        super().__init__(status="open", **values)

    @hybrid_property
    def tag(self) -> str:
        """Nobody counts the version when its time is over."""
        return f"{super().tag}-expired" if self.status == "expired" else super().tag

    @tag.inplace.expression
    @classmethod
    def _tag(cls) -> ColumnElement[str]:
        over = case((cls.status == "expired", literal_column("'-expired'")))
        return func.concat(tag_of(cls), over)


def _statuses() -> dict[str, ColumnElement[bool]]:
    unclosed, now = Reservation.outcome.is_(None), func.statement_timestamp()
    return {
        "open": and_(unclosed, Reservation.expires_at > now),
        **{outcome: Reservation.outcome == outcome for outcome in OUTCOMES},
        "expired": and_(unclosed, Reservation.expires_at <= now),
    }


STATUSES = _statuses()
Reservation.status = column_property(
    case(*((condition, status) for status, condition in STATUSES.items())), expire_on_flush=False
)
