"""A movement of stock: a line of the ledger, which is never changed or deleted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from project.db import Base, Id, Tagged, rule
from project.errors import Conflict

KINDS = ("opening", "adjustment", "count", "reversal")
REVERSED = "Movement {reverses_id} has been reversed already"


class Movement(Tagged, Base):
    """What came or went, and why; triggers refuse UPDATE, DELETE, and TRUNCATE of any line.

    actor_id, actor_name: who did it, as they were called then, whether or not they are still there.
    created_at: the product's `updated_at` of the same statement, so along a product neither goes
    back while ids go on.
    """

    __tablename__ = "stock_movements"
    __table_args__ = (
        CheckConstraint("quantity <> 0", name="quantity_moves"),
        CheckConstraint("balance_after >= 0", name="balance_never_negative"),
        CheckConstraint(f"kind IN {KINDS}", name="kind_known"),
        Index(
            "uq_stock_movements_reverses_id",
            "reverses_id",
            unique=True,
            postgresql_where=text("reverses_id IS NOT NULL"),
            info=rule("already_reversed", REVERSED, kind=Conflict),
        ),
        # each list of the API walks one of them, newest first, filtered or not
        Index("ix_stock_movements_product", "product_id", "created_at", "id"),
        Index("ix_stock_movements_created_at", "created_at", "id"),
        Index("ix_stock_movements_actor", "actor_id", "created_at", "id"),
        Index(
            "ix_stock_movements_reference",
            *("reference", "created_at", "id"),
            postgresql_where=text("reference IS NOT NULL"),
        ),
        Index(
            "ix_stock_movements_kind",
            *("kind", "created_at", "id"),
            postgresql_where=text("kind <> 'adjustment'"),
        ),
    )

    version = 1  # of every movement, for ever

    id: Mapped[Id]
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    quantity: Mapped[int]
    balance_after: Mapped[int]
    kind: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(String(255))
    reference: Mapped[str | None] = mapped_column(String(255))
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("stock_movements.id"))
    actor_id: Mapped[int | None] = mapped_column(
        BigInteger
    )  # no foreign key: it may go, this stays
    actor_name: Mapped[str | None] = mapped_column(String(50))
    request_id: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[datetime]
