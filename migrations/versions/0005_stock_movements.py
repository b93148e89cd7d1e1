"""stock movements"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# For each statement, not each row: what would change nothing is refused as well.
APPEND_ONLY = """
CREATE FUNCTION stock_movements_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'stock movements are never changed or deleted (%)', TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON stock_movements
    FOR EACH STATEMENT EXECUTE FUNCTION stock_movements_append_only();
"""

# What was there before the ledger: from now on it adds up.
OPENINGS = """
INSERT INTO stock_movements
    (product_id, quantity, balance_after, kind, reason, request_id, created_at)
SELECT id, stock, stock, 'opening', 'Stock before the ledger began', 'migration 0005', created_at
FROM products WHERE stock > 0 ORDER BY id
"""


def upgrade() -> None:
    op.create_table(
        "stock_movements",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("balance_after", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(255)),
        sa.Column("reference", sa.String(255)),
        sa.Column("reverses_id", sa.BigInteger()),
        sa.Column("actor_id", sa.BigInteger()),
        sa.Column("actor_name", sa.String(50)),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("quantity <> 0", name=op.f("ck_stock_movements_quantity_moves")),
        sa.CheckConstraint(
            "balance_after >= 0", name=op.f("ck_stock_movements_balance_never_negative")
        ),
        sa.CheckConstraint(
            "kind IN ('opening', 'adjustment', 'count', 'reversal')",
            name=op.f("ck_stock_movements_kind_known"),
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_stock_movements_product_id")
        ),
        sa.ForeignKeyConstraint(
            ["reverses_id"], ["stock_movements.id"], name=op.f("fk_stock_movements_reverses_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_movements")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_stock_movements_reverses_id")),
    )
    op.execute(OPENINGS)
    by_time = ["created_at", "id"]
    op.create_index("ix_stock_movements_product", "stock_movements", ["product_id", *by_time])
    op.create_index("ix_stock_movements_created_at", "stock_movements", by_time)
    op.create_index("ix_stock_movements_actor", "stock_movements", ["actor_id", *by_time])
    for column, condition in {
        "reference": "reference IS NOT NULL",
        "kind": "kind <> 'adjustment'",
    }.items():
        op.create_index(
            f"ix_stock_movements_{column}",
            "stock_movements",
            [column, *by_time],
            postgresql_where=sa.text(condition),
        )
    op.execute(APPEND_ONLY)


def downgrade() -> None:
    op.drop_table("stock_movements")
    op.execute("DROP FUNCTION stock_movements_append_only()")
