"""failed jobs"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# They are counted whenever somebody looks how the queue is doing, among all that succeeded.
FAILED = """
CREATE INDEX ix_procrastinate_jobs_failed ON procrastinate_jobs (task_name)
WHERE status = 'failed'
"""


def upgrade() -> None:
    op.execute(FAILED)


def downgrade() -> None:
    op.execute("DROP INDEX ix_procrastinate_jobs_failed")
