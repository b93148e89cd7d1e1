"""trigrams in lower case"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# pg_trgm cuts a text into words before it makes it lower case. Where the locale knows no letters
# but those of ASCII, a word began behind the first of "İstanbul", and "ista" was not found.
TRIGRAMS = """
DO $$ BEGIN
    DROP INDEX IF EXISTS ix_{table}_{column}_trgm;
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm') THEN
        CREATE INDEX ix_{table}_{column}_trgm ON {table} USING gin ({of} gin_trgm_ops);
    END IF;
END $$
"""
SEARCHED = (("products", "name"), ("posts", "title"), ("posts", "content"))


def upgrade() -> None:
    for table, column in SEARCHED:
        create(table, column, f"lower({column})")


def downgrade() -> None:
    for table, column in SEARCHED:
        create(table, column, column)


def create(table: str, column: str, of: str) -> None:
    op.execute(TRIGRAMS.format(table=table, column=column, of=of))
