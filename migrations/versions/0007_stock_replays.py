"""stock replays"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stock_replays",
        sa.Column("file", sa.LargeBinary(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("file", "part", name=op.f("pk_stock_replays")),
    )


def downgrade() -> None:
    op.drop_table("stock_replays")
