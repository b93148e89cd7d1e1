"""search by letters"""

from alembic import op

from project.db.migrating import concurrently, drop_index

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# Each letter, or what else stands in a text, with the next. Alone only where it is not all ASCII:
# a letter of ASCII is in nearly every name, but one of 鉛筆 is a word. From 2 on, only the pairs.
# Restricted, since starting parallel workers takes longer than a page.
NGRAMS = """
CREATE OR REPLACE FUNCTION ngrams(whole text, shortest integer) RETURNS text[]
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
DROP = "DROP INDEX CONCURRENTLY IF EXISTS ix_products_ngrams"
CREATE = """
CREATE INDEX CONCURRENTLY ix_products_ngrams ON products
USING gin (ngrams(lower(name) COLLATE "C", 1))
"""


def upgrade() -> None:
    op.execute(NGRAMS)
    with concurrently():
        op.execute(DROP)
        op.execute(CREATE)


def downgrade() -> None:
    drop_index("ix_products_ngrams", "products")
    op.execute("DROP FUNCTION ngrams(text, integer)")
