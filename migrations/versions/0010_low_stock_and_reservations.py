"""Thresholds of stock that is low; reservations, and what they hold."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("products", sa.Column("low_stock_threshold", sa.Integer()))
    op.create_check_constraint(
        op.f("ck_products_threshold_never_negative"),
        "products",
        "low_stock_threshold >= 0",
        postgresql_not_valid=True,  # until 0018 has looked at what is there
    )
    op.add_column("products", sa.Column("held_until", sa.TIMESTAMP(timezone=True)))
    _create_reservations()
    _create_holds()


def _create_reservations() -> None:
    now = sa.text("now()")
    op.create_table(
        "reservations",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("reference", sa.String(255)),
        sa.Column("expires_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(20)),
        sa.Column("movement_ids", sa.ARRAY(sa.BigInteger())),
        sa.Column("actor_id", sa.BigInteger()),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.TIMESTAMP(timezone=True), server_default=now, nullable=False),
        sa.CheckConstraint(
            "outcome IN ('committed', 'released')", name=op.f("ck_reservations_outcome_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservations")),
    )
    for name, column, condition in (
        ("open", "expires_at", "outcome IS NULL"),
        ("closed", "outcome", "outcome IS NOT NULL"),
        ("reference", "reference", "reference IS NOT NULL"),
    ):
        op.create_index(
            f"ix_reservations_{name}",
            "reservations",
            [column, "id"],
            postgresql_where=sa.text(condition),
        )


def _create_holds() -> None:
    op.create_table(
        "stock_holds",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("reservation_id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("until", sa.TIMESTAMP(timezone=True)),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_stock_holds_quantity_positive")),
        sa.ForeignKeyConstraint(
            ["reservation_id"], ["reservations.id"], name=op.f("fk_stock_holds_reservation_id")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_stock_holds_product_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_holds")),
    )
    op.create_index("ix_stock_holds_product", "stock_holds", ["product_id", "until"])
    op.create_index("ix_stock_holds_reservation", "stock_holds", ["reservation_id", "id"])


def downgrade() -> None:
    op.drop_table("stock_holds")
    op.drop_table("reservations")
    op.drop_column("products", "held_until")
    op.drop_column("products", "low_stock_threshold")
