"""less to plan"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# For a statement that is planned once, but for a part whose values may want another plan: it finds
# the ids, and comes as a text.
IDS_OF = """
CREATE FUNCTION ids_of(statement text) RETURNS bigint[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    ids bigint[];
BEGIN
    EXECUTE 'SELECT ARRAY(' || statement || ')' INTO ids;
    RETURN ids;
END $$
"""

# As a function, since a subselect is made ready in each statement that reads a product, though
# nearly none is held.
STOCK_HELD = """
CREATE FUNCTION stock_held(product bigint) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(quantity), 0)::integer FROM stock_holds
    WHERE product_id = product AND until > statement_timestamp()
$$
"""


def upgrade() -> None:
    op.execute(IDS_OF)
    op.execute(STOCK_HELD)


def downgrade() -> None:
    op.execute("DROP FUNCTION stock_held(bigint)")
    op.execute("DROP FUNCTION ids_of(text)")
