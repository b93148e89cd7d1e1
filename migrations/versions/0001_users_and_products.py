"""users and products"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Substring search from an index, where the server has pg_trgm and lets us have it; without it
# the same question gets the same answer from a scan.
TRIGRAMS = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm') THEN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'No right to create pg_trgm: search will scan.';
END $$
"""
TRIGRAMS_OF_PRODUCTS = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm') THEN
        CREATE INDEX ix_products_name_trgm ON products USING gin (name gin_trgm_ops);
    END IF;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "products",
        *item_columns(
            sa.Column("name", sa.String(255), nullable=False),
            sa.Column("description", sa.Text()),
            sa.Column("price", sa.Numeric(10, 2), nullable=False),
            sa.Column("stock", sa.Integer(), server_default=sa.text("0"), nullable=False),
            flag("is_active", "true"),
        ),
        sa.CheckConstraint("char_length(name) >= 1", name=op.f("ck_products_name_given")),
        sa.CheckConstraint(
            "char_length(description) <= 2000", name=op.f("ck_products_description_length")
        ),
        sa.CheckConstraint(
            "price > 0 AND price <= 99999999.99", name=op.f("ck_products_price_range")
        ),
        sa.CheckConstraint("stock >= 0", name=op.f("ck_products_stock_never_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("name", name=op.f("uq_products_name")),
    )
    op.create_index("ix_products_lower_name", "products", [sa.text("lower(name)"), "id"])
    op.create_index("ix_products_price", "products", ["price", "id"])
    op.create_index("ix_products_created_at", "products", ["created_at", "id"])
    op.execute(TRIGRAMS)
    op.execute(TRIGRAMS_OF_PRODUCTS)

    op.create_table(
        "users",
        *item_columns(
            sa.Column("email", sa.String(255), nullable=False),
            sa.Column("username", sa.String(50), nullable=False),
            sa.Column("hashed_password", sa.String(255), nullable=False),
            sa.Column("full_name", sa.String(255)),
            sa.Column("bio", sa.Text()),
            flag("is_active", "true"),
            flag("is_superuser", "false"),
        ),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_users_email_lower")),
        sa.CheckConstraint("username = lower(username)", name=op.f("ck_users_username_lower")),
        sa.CheckConstraint(
            "char_length(username) BETWEEN 3 AND 50", name=op.f("ck_users_username_length")
        ),
        sa.CheckConstraint("char_length(bio) <= 2000", name=op.f("ck_users_bio_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        sa.UniqueConstraint("username", name=op.f("uq_users_username")),
    )
    op.create_index(
        "ix_users_superusers", "users", ["id"], postgresql_where=sa.text("is_superuser")
    )


def downgrade() -> None:
    op.drop_table("users")
    op.drop_table("products")


def item_columns(*own: sa.Column[Any]) -> list[sa.Column[Any]]:
    """A row's own columns between those every row has."""
    instant = sa.TIMESTAMP(timezone=True)
    now = sa.text("now()")
    return [
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        *own,
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", instant, server_default=now, nullable=False),
        sa.Column("updated_at", instant, server_default=now, nullable=False),
    ]


def flag(name: str, default: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), server_default=sa.text(default), nullable=False)
