"""A webhook, the secrets it signs with, and each delivery of an event to it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    func,
    select,
    text,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from project.db import Base, Event, Id, Instant, Item

STATUSES = ("pending", "delivered", "failed")
REASONS = ("gone", "failing")


class Webhook(Item):
    """Somebody else's endpoint, which is told of events.

    active_since: what happened before is not sent.
    disabled_at, disabled_reason: when and why it was deactivated by us, and not by a person.
    """

    __tablename__ = "webhooks"
    __table_args__ = (
        CheckConstraint("disabled_reason IN ('gone', 'failing')", name="disabled_reason_known"),
        CheckConstraint(
            "(disabled_at IS NULL) = (disabled_reason IS NULL)", name="disabled_for_a_reason"
        ),
        CheckConstraint("NOT is_active OR disabled_at IS NULL", name="active_is_not_disabled"),
    )

    url: Mapped[str] = mapped_column(String(2000))
    description: Mapped[str | None] = mapped_column(String(255))
    event_types: Mapped[list[str] | None] = mapped_column(ARRAY(Text))  # None: all of them
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    active_since: Mapped[Instant]
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None] = mapped_column(String(20))
    creator_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))

    secret = ""  # a new one, for the one answer that tells it # nosec B105


class WebhookSecret(Base):
    """What deliveries are signed with, in clear, since it has to be.

    expires_at: set when another took its place, and receivers have time to change over.
    """

    __tablename__ = "webhook_secrets"
    __table_args__ = (Index("ix_webhook_secrets_webhook_id", "webhook_id", "id"),)

    id: Mapped[Id]
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    secret: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[Instant]
    expires_at: Mapped[datetime | None]


class Delivery(Item):
    """An event on its way to a webhook, and what became of it; it goes when either goes.

    next_attempt_at: when it is due, while it is pending.
    leased_until: an attempt is queued or under way; if nothing is heard of it, it is due again.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("event_id", "webhook_id"),
        CheckConstraint("status IN ('pending', 'delivered', 'failed')", name="status_known"),
        CheckConstraint(
            "(status = 'pending') = (next_attempt_at IS NOT NULL)", name="pending_is_due"
        ),
        CheckConstraint("leased_until IS NULL OR status = 'pending'", name="leased_is_pending"),
        Index("ix_webhook_deliveries_webhook_id", "webhook_id", "id"),
        Index(
            "ix_webhook_deliveries_due",
            *("webhook_id", "next_attempt_at", "id"),
            postgresql_where=text("status = 'pending'"),
        ),
        Index(
            "ix_webhook_deliveries_leased",
            "webhook_id",
            postgresql_where=text("leased_until IS NOT NULL"),
        ),
        Index(
            "ix_webhook_deliveries_delivered",
            *("webhook_id", "delivered_at"),
            postgresql_where=text("delivered_at IS NOT NULL"),
        ),
    )

    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"))
    status: Mapped[str] = mapped_column(String(20), server_default="pending")
    attempts: Mapped[int] = mapped_column(server_default="0")
    first_attempt_at: Mapped[datetime | None]
    last_attempt_at: Mapped[datetime | None]
    next_attempt_at: Mapped[datetime | None] = mapped_column(server_default=func.now())
    delivered_at: Mapped[datetime | None]
    leased_until: Mapped[datetime | None]
    response_status: Mapped[int | None]
    response_excerpt: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(String(255))
    duration_ms: Mapped[int | None]

    event: Mapped[Event] = relationship(lazy="raise")  # a query per row would go unnoticed
    webhook: Mapped[Webhook] = relationship(lazy="raise")

    @hybrid_property
    def event_type(self) -> str:
        return self.event.type

    @event_type.inplace.expression
    @classmethod
    def _event_type(cls) -> ColumnElement[str]:
        of = select(Event.type).where(Event.id == cls.event_id)
        return of.correlate_except(Event).scalar_subquery()
