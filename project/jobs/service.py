"""What can be done with jobs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    String,
    case,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    update,
)

from project import origin
from project.db import db, fetch
from project.errors import Conflict, Forbidden
from project.jobs.models import Job, Queued, Worker
from project.jobs.registry import TASKS

SILENCE = timedelta(seconds=10)  # without a sign of life, after which a worker is taken for dead
KEPT = timedelta(days=7)  # what succeeded
KEPT_LONGER = timedelta(days=30)  # what somebody may want to look into
FINISHED = ("succeeded", "failed", "cancelled", "aborted")
PORTION = 10_000  # jobs purged in a statement

# The function is the queue's own, as this release's migrations made it; the library itself is
# loaded by workers only.
DEFER = text("""
SELECT unnest(procrastinate_defer_jobs_v1(ARRAY(
    SELECT CAST(ROW('default', :name, :priority, NULL, NULL, arguments, NULL)
        AS procrastinate_job_to_defer_v1)
    FROM jsonb_array_elements(CAST(:all AS jsonb)) WITH ORDINALITY AS _ (arguments, place)
    ORDER BY place
))) AS id
""")


class OnlyAsker(Forbidden):
    """What somebody else asked for."""

    sentence = "Only the user who asked for this job and superusers may do this."


class WrongStatus(Conflict):
    """The job is not waiting, or has not failed."""

    code = "wrong_status"


def enqueue(name: str, /, **arguments: Any) -> Job:
    """Have a task done, once the transaction commits and if it does."""
    [job] = enqueue_all(name, [arguments])
    return job


def enqueue_all(name: str, arguments: Sequence[Mapping[str, Any]]) -> Sequence[Job]:
    """A job for each of these arguments, in one statement."""
    source, task = origin.current(), TASKS[name]
    given = DEFER.bindparams(name=task.name, priority=task.priority, all=json.dumps(arguments))
    queued = given.columns(id=BigInteger).cte("queued")
    told = {
        "id": queued.c.id,
        "actor_id": literal(source.actor_id, BigInteger),
        "actor_name": literal(source.actor_name, String),
        "request_id": literal(source.request_id),
    }
    made = insert(Job).from_select([*told], select(*told.values())).returning(Job)
    return db.session.scalars(made).all()


def get(id: int, *, viewer: Any) -> Job:
    """A job that the viewer asked for, or any for a superuser."""
    job = fetch(Job, id)
    if job.actor_id != viewer.id and not viewer.is_superuser:
        raise OnlyAsker
    return job


def search(status: str | None = None, task: str | None = None) -> Select[Job]:
    """Jobs in this status, or of this task."""
    found = select(Job).join(Queued, Queued.id == Job.id)
    if status is not None:
        found = found.where(Queued.status == status)
    if task is not None:
        found = found.where(Queued.task_name == task)
    return found


def retry(id: int) -> None:
    """Try what has failed for good once more."""
    _expect("failed", id, "Only what has failed can be tried again")
    told = {"finished_at": None, "error": None, "progress": 0}
    db.session.execute(update(Job).where(Job.id == id).values(told))
    queue_again(id)


def queue_again(id: int) -> None:
    """Let a job that is under way, or has failed, wait for its next attempt."""
    again = func.procrastinate_retry_job_v2(id, func.now(), None, None, None)
    db.session.execute(select(again))


def cancel(id: int) -> None:
    """Do not do what still waits."""
    _expect("todo", id, "Only what waits can be cancelled")
    db.session.execute(select(func.procrastinate_cancel_job_v1(id, False, False)))
    db.session.execute(update(Job).where(Job.id == id).values(finished_at=func.now()))


def alive() -> ColumnElement[bool]:
    """Whether a worker is at work, as far as anybody can tell."""
    return Worker.last_heartbeat > func.now() - SILENCE


def purge(succeeded: timedelta = KEPT, others: timedelta = KEPT_LONGER) -> int:
    """Forget a portion of what was finished so long ago, and say how many they were."""
    finished = select(Queued.id).join(Job, Job.id == Queued.id)
    since = case((Queued.status == "succeeded", succeeded), else_=others)
    old = finished.where(
        Job.finished_at <= func.clock_timestamp() - since, Queued.status.in_(FINISHED)
    )
    free = old.limit(PORTION).with_for_update(of=Queued, skip_locked=True)
    gone = delete(Queued).where(Queued.id.in_(free.scalar_subquery()))
    return db.session.connection().execute(gone).rowcount


def _expect(status: str, id: int, otherwise: str) -> None:
    """Lock a job in this status; raises NotFound, and WrongStatus for another."""
    fetch(Job, id)
    held = select(Queued.status).where(Queued.id == id).with_for_update()
    found = db.session.scalars(held).one()
    if found != status:
        raise WrongStatus(f"{otherwise}; job {id} is {found}.")
