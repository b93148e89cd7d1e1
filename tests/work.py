"""What a worker would do, done here and now, in the transaction of the test."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from project.db import db
from project.http.app import App
from project.jobs.registry import TASKS
from project.jobs.running import run

FETCH = text("SELECT id, task_name, attempts, args FROM procrastinate_fetch_job_v2(NULL, NULL)")
SUCCEEDED = text("SELECT procrastinate_finish_job_v1(:id, 'succeeded', false)")
FAILED = text("SELECT procrastinate_finish_job_v1(:id, 'failed', false)")
AGAIN = text("SELECT procrastinate_retry_job_v2(:id, now(), NULL, NULL, NULL)")


def work(app: App) -> int:
    """Do all that is queued, and what that queues, without waiting between attempts; how many
    attempts there were.
    """
    count = 0
    while _next(app):
        count += 1
    return count


def _next(app: App) -> bool:
    with app.app_context():
        id, name, attempts, arguments = _ask(FETCH).one()
    if id is None:
        return False
    end = SUCCEEDED
    with app.app_context():
        try:
            run(TASKS[name], id, attempts, arguments)
        except Exception as error:  # told to the job and the log, as in a worker
            end = FAILED if TASKS[name].wait(error, attempts) is None else AGAIN
    with app.app_context():
        _ask(end, id=id)
    return True


def _ask(statement: Any, **values: Any) -> Any:
    """On its own, as the queue's connection would."""
    found = db.session.execute(statement, values)
    result = found.freeze()()
    db.session.commit()
    return result
