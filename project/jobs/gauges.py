"""How the queue is doing. What succeeded is not counted: there may be a million of them."""

from project.db import gauge
from project.jobs.service import SILENCE

gauge(
    "jobs",
    "Jobs that wait (todo), are under way (doing) or have failed, by task.",
    """
    SELECT task_name AS task, status::text, count(*) AS value FROM procrastinate_jobs
    WHERE status IN ('todo', 'doing') GROUP BY task_name, status
    UNION ALL
    SELECT task_name, 'failed', count(*) FROM procrastinate_jobs
    WHERE status = 'failed' GROUP BY task_name
    """,
)
gauge(
    "jobs_oldest_due_seconds",
    "For how long the job that is due the longest has been; 0 if none is.",
    """
    SELECT coalesce(extract(epoch FROM now() - min(greatest(created_at, scheduled_at))), 0) AS value
    FROM procrastinate_jobs JOIN jobs USING (id)
    WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())
    """,
)
gauge(
    "job_workers",
    "Processes that do jobs and gave a sign of life in the last ten seconds.",
    f"""
    SELECT count(*) AS value FROM procrastinate_workers
    WHERE last_heartbeat > now() - interval '{SILENCE.total_seconds()} seconds'
    """,  # the number is ours # nosec B608
)
