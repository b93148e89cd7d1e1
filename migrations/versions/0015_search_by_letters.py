"""search by one or two letters"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# What a text consists of, letter by letter or sign by sign, and each with the next; from 2 on, the
# latter only.
NGRAMS = """
CREATE FUNCTION ngrams(whole text, shortest integer) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 100 AS $$
DECLARE
    letters text[] := string_to_array(whole, NULL);
    pairs text[] := '{}';
BEGIN
    FOR i IN 1 .. cardinality(letters) - 1 LOOP
        pairs[i] := letters[i] || letters[i + 1];
    END LOOP;
    RETURN CASE WHEN shortest < 2 THEN letters || pairs ELSE pairs END;
END $$;
CREATE INDEX ix_products_ngrams ON products USING gin (ngrams(lower(name) COLLATE "C", 1))
WITH (gin_pending_list_limit = 256)
"""


def upgrade() -> None:
    op.execute(NGRAMS)


def downgrade() -> None:
    op.drop_index("ix_products_ngrams", table_name="products")
    op.execute("DROP FUNCTION ngrams(text, integer)")
