"""What workers do for the queue by themselves."""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import func, select, update

from project.db import db
from project.jobs import service
from project.jobs.models import Job, Queued, Worker
from project.jobs.registry import TASKS, chore

DIED = "The workers that tried it died."
UNKNOWN = "No worker knows this task."
RELEASE = timedelta(hours=1)  # that a release may take to reach all workers

log = structlog.get_logger("project")


@chore(seconds=5)
def rescue() -> None:
    """Queue again what workers were at when they died; what was tried too often has failed."""
    alive = select(Worker.id).where(service.alive())
    doing = select(Queued.id, Queued.task_name, Queued.attempts, Job.request_id).join(
        Job, Job.id == Queued.id
    )
    orphaned = doing.where(
        Queued.status == "doing",
        Queued.worker_id.is_(None) | Queued.worker_id.not_in(alive.scalar_subquery()),
    )
    held = orphaned.order_by(Queued.id).with_for_update(of=Queued, skip_locked=True)
    for id, name, attempts, request_id in db.session.execute(held).all():
        about = {"job_id": id, "task": name, "request_id": request_id}
        log.warning("job.rescued", **about, attempt=attempts + 1)
        if name in TASKS and attempts < len(TASKS[name].waits):
            service.queue_again(id)
        else:
            _bury(id)


@chore(seconds=60)
def wait_for_a_release() -> None:
    """Queue again what has failed without being tried: no worker that met it knows the task. While
    a release goes out, a newer one may.
    """
    young = Job.created_at > func.now() - RELEASE
    known = Queued.id, Queued.task_name, Job.request_id, young
    untried = select(*known).join(Job, Job.id == Queued.id)
    unknown = untried.where(Queued.status == "failed", Job.finished_at.is_(None))
    held = unknown.with_for_update(of=Queued, skip_locked=True)
    for id, name, request_id, is_young in db.session.execute(held).all():
        log.warning("job.unknown", job_id=id, task=name, request_id=request_id)
        if is_young:
            service.queue_again(id)
        else:
            _give_up(id, UNKNOWN)


def _bury(id: int) -> None:
    """The job has failed, unless it was done and its worker died before it could say so."""
    _give_up(id, DIED)
    job = db.session.get_one(Job, id, populate_existing=True)
    end = "succeeded" if job.error is None else "failed"
    db.session.execute(select(func.procrastinate_finish_job_v1(id, end, False)))


def _give_up(id: int, why: str) -> None:
    undone = update(Job).where(Job.id == id, Job.finished_at.is_(None))
    db.session.execute(undone.values(error=why, finished_at=func.now()))


@chore(seconds=3600)
def purge() -> bool:
    """Forget jobs that were finished long ago."""
    return service.purge() == service.PORTION
