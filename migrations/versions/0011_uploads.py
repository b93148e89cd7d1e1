"""uploads"""

from alembic import op

revision = "0011"
down_revision = "0007"
branch_labels = None
depends_on = None

BLANK = "UPDATE products SET description = NULL WHERE description = ''"


def upgrade() -> None:
    op.execute(BLANK)
    describe("char_length(description) BETWEEN 1 AND 2000")


def downgrade() -> None:
    describe("char_length(description) <= 2000")


def describe(rule: str) -> None:
    name = op.f("ck_products_description_length")
    op.drop_constraint(name, "products", type_="check")
    op.create_check_constraint(name, "products", rule)
