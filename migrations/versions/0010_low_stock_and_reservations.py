"""Thresholds of stock that is low."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("products", sa.Column("low_stock_threshold", sa.Integer()))
    op.create_check_constraint(
        op.f("ck_products_threshold_never_negative"), "products", "low_stock_threshold >= 0"
    )
    op.create_index(
        "ix_products_watched",
        "products",
        ["id"],
        postgresql_where=sa.text("low_stock_threshold IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_products_watched", table_name="products")
    op.drop_column("products", "low_stock_threshold")
