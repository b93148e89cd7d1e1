"""trigrams in lower case"""

import sqlalchemy as sa
from alembic import op

from project.db.migrating import concurrently

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# pg_trgm cuts a text into words before it makes it lower case. Where the locale knows no letters
# but those of ASCII, a word began behind the first of "İstanbul", and "ista" was not found.
HAS_TRIGRAMS = "SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'"
DROP = "DROP INDEX CONCURRENTLY IF EXISTS {name}"
CREATE = "CREATE INDEX CONCURRENTLY {name} ON {table} USING gin ({of} gin_trgm_ops)"
SEARCHED = (("products", "name"), ("posts", "title"), ("posts", "content"))


def upgrade() -> None:
    for table, column in SEARCHED:
        create(table, column, f"lower({column})")


def downgrade() -> None:
    for table, column in SEARCHED:
        create(table, column, column)


def create(table: str, column: str, of: str) -> None:
    name = f"ix_{table}_{column}_trgm"
    with concurrently():
        op.execute(DROP.format(name=name))
        if op.get_context().as_sql or op.get_bind().scalar(sa.text(HAS_TRIGRAMS)):
            op.execute(CREATE.format(name=name, table=table, of=of))
