"""posts"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Where the first migration could have pg_trgm; elsewhere the same question is a scan.
TRIGRAMS = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm') THEN
        CREATE INDEX ix_posts_title_trgm ON posts USING gin (title gin_trgm_ops);
        CREATE INDEX ix_posts_content_trgm ON posts USING gin (content gin_trgm_ops);
    END IF;
END $$
"""


def upgrade() -> None:
    instant = sa.TIMESTAMP(timezone=True)
    now = sa.text("now()")
    op.create_table(
        "posts",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("is_published", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("published_at", instant),
        sa.Column("author_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", instant, server_default=now, nullable=False),
        sa.Column("updated_at", instant, server_default=now, nullable=False),
        sa.CheckConstraint("char_length(title) >= 1", name=op.f("ck_posts_title_given")),
        sa.CheckConstraint(
            "char_length(content) BETWEEN 1 AND 50000", name=op.f("ck_posts_content_length")
        ),
        sa.CheckConstraint(
            "is_published = (published_at IS NOT NULL)", name=op.f("ck_posts_published_is_dated")
        ),
        sa.ForeignKeyConstraint(
            ["author_id"], ["users.id"], name=op.f("fk_posts_author_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
    )
    op.create_index("ix_posts_author_id", "posts", ["author_id", "id"])
    op.create_index("ix_posts_published", "posts", ["id"], postgresql_where=sa.text("is_published"))
    op.execute(TRIGRAMS)


def downgrade() -> None:
    op.drop_table("posts")
