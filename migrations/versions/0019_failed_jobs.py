"""failed jobs"""

import sqlalchemy as sa

from project.db.migrating import create_index, drop_index

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

INDEX = "ix_procrastinate_jobs_failed"


# They are counted whenever somebody looks how the queue is doing, among all that succeeded.
def upgrade() -> None:
    failed = sa.text("status = 'failed'")
    create_index(INDEX, "procrastinate_jobs", ["task_name"], postgresql_where=failed)


def downgrade() -> None:
    drop_index(INDEX, "procrastinate_jobs")
