"""webhooks"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
NOW = sa.text("now()")


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("url", sa.String(2000), nullable=False),
        sa.Column("description", sa.String(255)),
        sa.Column("event_types", ARRAY(sa.Text())),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("active_since", INSTANT, server_default=NOW, nullable=False),
        sa.Column("disabled_at", INSTANT),
        sa.Column("disabled_reason", sa.String(20)),
        sa.Column("creator_id", sa.BigInteger()),
        *_item(),
        sa.CheckConstraint(
            "disabled_reason IN ('gone', 'failing')", name=op.f("ck_webhooks_disabled_reason_known")
        ),
        sa.CheckConstraint(
            "(disabled_at IS NULL) = (disabled_reason IS NULL)",
            name=op.f("ck_webhooks_disabled_for_a_reason"),
        ),
        sa.CheckConstraint(
            "NOT is_active OR disabled_at IS NULL", name=op.f("ck_webhooks_active_is_not_disabled")
        ),
        sa.ForeignKeyConstraint(
            ["creator_id"], ["users.id"], name=op.f("fk_webhooks_creator_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_table(
        "webhook_secrets",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("webhook_id", sa.BigInteger(), nullable=False),
        sa.Column("secret", sa.String(64), nullable=False),
        sa.Column("created_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("expires_at", INSTANT),
        _of_webhook("webhook_secrets"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_secrets")),
    )
    op.create_index("ix_webhook_secrets_webhook_id", "webhook_secrets", ["webhook_id", "id"])
    _create_deliveries()


def _create_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("webhook_id", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(20), server_default="pending", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("first_attempt_at", INSTANT),
        sa.Column("last_attempt_at", INSTANT),
        sa.Column("next_attempt_at", INSTANT, server_default=NOW),
        sa.Column("delivered_at", INSTANT),
        sa.Column("leased_until", INSTANT),
        sa.Column("response_status", sa.Integer()),
        sa.Column("response_excerpt", sa.Text()),
        sa.Column("error", sa.String(255)),
        sa.Column("duration_ms", sa.Integer()),
        *_item(),
        sa.CheckConstraint(
            "status IN ('pending', 'delivered', 'failed')",
            name=op.f("ck_webhook_deliveries_status_known"),
        ),
        sa.CheckConstraint(
            "(status = 'pending') = (next_attempt_at IS NOT NULL)",
            name=op.f("ck_webhook_deliveries_pending_is_due"),
        ),
        sa.CheckConstraint(
            "leased_until IS NULL OR status = 'pending'",
            name=op.f("ck_webhook_deliveries_leased_is_pending"),
        ),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["events.id"],
            name=op.f("fk_webhook_deliveries_event_id"),
            ondelete="CASCADE",
        ),
        _of_webhook("webhook_deliveries"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("event_id", "webhook_id", name=op.f("uq_webhook_deliveries_event_id")),
    )
    for name, columns, condition in (
        ("webhook_id", ["webhook_id", "id"], None),
        ("due", ["webhook_id", "next_attempt_at", "id"], "status = 'pending'"),
        ("leased", ["webhook_id"], "leased_until IS NOT NULL"),
        ("delivered", ["webhook_id", "delivered_at"], "delivered_at IS NOT NULL"),
    ):
        where = None if condition is None else sa.text(condition)
        name = f"ix_webhook_deliveries_{name}"
        op.create_index(name, "webhook_deliveries", columns, postgresql_where=where)


def _item() -> list[sa.Column[Any]]:
    return [
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("updated_at", INSTANT, server_default=NOW, nullable=False),
    ]


def _of_webhook(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_webhook_id")
    return sa.ForeignKeyConstraint(["webhook_id"], ["webhooks.id"], name=name, ondelete="CASCADE")


def downgrade() -> None:
    for table in ("webhook_deliveries", "webhook_secrets", "webhooks"):
        op.drop_table(table)
