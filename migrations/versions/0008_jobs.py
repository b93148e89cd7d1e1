"""The queue as Procrastinate 3.10 has it, and what jobs tell of themselves."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SCHEMA = Path(__file__).parent.parent / "procrastinate-3.10.0.sql"
DROP = """
DO $$
DECLARE
    found regprocedure;
BEGIN
    DROP TABLE procrastinate_events, procrastinate_periodic_defers, procrastinate_jobs,
        procrastinate_workers CASCADE;
    FOR found IN SELECT oid FROM pg_proc WHERE proname LIKE 'procrastinate\\_%'
        AND pronamespace = current_schema()::regnamespace
    LOOP
        EXECUTE 'DROP FUNCTION ' || found;
    END LOOP;
    DROP TYPE procrastinate_job_to_defer_v1, procrastinate_job_event_type,
        procrastinate_job_status;
END $$
"""


def upgrade() -> None:
    op.execute(sa.text(SCHEMA.read_text().replace(":", "\\:")))
    op.create_table(
        "jobs",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("actor_name", sa.String(length=50), nullable=True),
        sa.Column("request_id", sa.String(length=128), nullable=False),
        sa.Column("progress", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("result", postgresql.JSONB(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("finished_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("progress BETWEEN 0 AND 100", name=op.f("ck_jobs_progress_range")),
        sa.ForeignKeyConstraint(
            ["id"], ["procrastinate_jobs.id"], name=op.f("fk_jobs_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index(
        "ix_jobs_finished_at",
        "jobs",
        ["finished_at"],
        unique=False,
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_table("jobs")
    op.execute(DROP)
