"""uploads"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from project.db.migrating import concurrently

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)

BLANK = "UPDATE products SET description = NULL WHERE description = ''"


def upgrade() -> None:
    op.execute(BLANK)
    # Until 0018 has looked at what is there: meanwhile nobody could read or write.
    describe("char_length(description) BETWEEN 1 AND 2000", postgresql_not_valid=True)
    op.create_table(
        "uploads",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.func.now(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.CheckConstraint("size >= 0", name=op.f("ck_uploads_size_range")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    op.create_index("ix_uploads_expires_at", "uploads", ["expires_at"])
    op.create_table(
        "upload_pieces",
        sa.Column("upload_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["upload_id"],
            ["uploads.id"],
            name=op.f("fk_upload_pieces_upload_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("upload_id", "number", name=op.f("pk_upload_pieces")),
    )


def downgrade() -> None:
    describe("char_length(description) <= 2000", postgresql_not_valid=True)
    with concurrently():
        op.execute("ALTER TABLE products VALIDATE CONSTRAINT ck_products_description_length")
    op.drop_table("upload_pieces")
    op.drop_table("uploads")


def describe(rule: str, **options: Any) -> None:
    name = op.f("ck_products_description_length")
    op.drop_constraint(name, "products", type_="check", if_exists=True)
    op.create_check_constraint(name, "products", rule, **options)
