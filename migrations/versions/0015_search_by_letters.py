"""search by letters"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# Each letter, or what else stands in a text, with the next. Alone only where it is not all ASCII:
# a letter of ASCII is in nearly every name, but one of 鉛筆 is a word. From 2 on, only the pairs.
# Restricted, since starting parallel workers takes longer than a page.
NGRAMS = """
CREATE FUNCTION ngrams(whole text, shortest integer) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL RESTRICTED COST 100 AS $$
DECLARE
    letters text[] := string_to_array(whole, NULL);
    pairs text[] := '{}';
BEGIN
    FOR i IN 1 .. cardinality(letters) - 1 LOOP
        pairs[i] := letters[i] || letters[i + 1];
    END LOOP;
    RETURN CASE WHEN shortest = 1 AND whole ~ '[^[:ascii:]]' THEN letters || pairs ELSE pairs END;
END $$
"""
INDEX = """
CREATE INDEX ix_products_ngrams ON products USING gin (ngrams(lower(name) COLLATE "C", 1))
"""


def upgrade() -> None:
    op.execute(NGRAMS)
    op.execute(INDEX)


def downgrade() -> None:
    op.drop_index("ix_products_ngrams", table_name="products")
    op.execute("DROP FUNCTION ngrams(text, integer)")
