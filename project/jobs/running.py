"""One job, done: as whoever asked for it, in its own transaction, and once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from hashlib import sha256
from typing import Any

import structlog
from sqlalchemy import func, select, update

from config import NAME
from project import origin
from project.db import aside, db, lift_limits, transacted, transaction
from project.errors import Contended, Refusal, Refused
from project.jobs.models import Job, Queued
from project.jobs.registry import Chore, Task

BROKEN = "Something broke on our side; request id {} finds it in the log."

log = structlog.get_logger("project")
_running: ContextVar[int] = ContextVar("job")
_percent: ContextVar[int] = ContextVar("percent")


class AlreadyDone(Exception):
    """Its effects are there, though the worker died before it could say so."""


def run(task: Task, id: int, attempts: int, arguments: Mapping[str, Any]) -> None:
    """Do the job, when so many attempts failed before; raises what kept it from being done."""
    began = time.perf_counter()
    _running.set(id)
    _percent.set(0)
    origin.enter()
    try:
        with suppress(AlreadyDone):
            _do(task, id, arguments)
    except Exception as error:
        wait = task.wait(error, attempts)
        _tell(id, error, final=wait is None)
        said = {"job_id": id, "task": task.name, "attempt": attempts + 1, "next_in": wait}
        log.error("job.failed", **said, **_told(error))
        raise
    took = round((time.perf_counter() - began) * 1000, 1)
    log.info("job.done", job_id=id, task=task.name, attempt=attempts + 1, milliseconds=took)


def attend(chore: Chore) -> bool:
    """Do a chore, and say whether there is more; it comes round again, so a failure is logged."""
    origin.enter()
    try:
        return transacted(chore.work) or False
    except Exception as error:
        name = f"{chore.work.__module__}.{chore.work.__name__}"
        log.warning("chore.failed", chore=name, **_told(error))
        return False
    finally:
        origin.leave()


def progress(percent: int) -> None:
    """Tell how far the running job is; seen at once, while its transaction goes on."""
    if percent != _percent.get(0):
        _percent.set(percent)
        aside(update(Job).where(Job.id == _running.get()).values(progress=min(percent, 100)))


def key() -> str:
    """What names the running job, the same in each of its attempts, and no job elsewhere."""
    request = sha256(origin.current().request_id.encode()).hexdigest()
    return f"{_running.get()}.{request[:16]}"


def _do(task: Task, id: int, arguments: Mapping[str, Any]) -> None:
    """Judge, do, and write that it was done: in one transaction, unless it is outside work."""
    if not task.outside:
        transacted(partial(_judge_do_write, task, id, arguments))
        return
    with transaction():
        _begin(id)
    result = task.work(**arguments)
    with transaction():
        _finish(id, result)


def _judge_do_write(task: Task, id: int, arguments: Mapping[str, Any]) -> None:
    lift_limits()
    _begin(id)
    _finish(id, task.work(**arguments))


def _begin(id: int) -> None:
    """Act as who asked, and be alone with the job to the end of the transaction.

    A worker that seemed dead may still be at it; a lock of its own leaves the row to `progress`.
    """
    mine = func.pg_try_advisory_xact_lock(func.hashtextextended(f"{NAME}.job", id))
    if not db.session.scalar(select(mine)):
        raise Contended
    job = db.session.get_one(Job, id, populate_existing=True)
    origin.enter(job.request_id)
    if job.actor_id is not None:
        origin.act(job.actor_id, job.actor_name or "")
    if job.finished_at is not None:
        raise AlreadyDone if job.error is None else Refused(job.error)


def _finish(id: int, result: Any) -> None:
    """Tell that it is done; and forget of whom it was, since arguments may hold an address."""
    told = {"result": result, "error": None, "progress": 100, "finished_at": func.clock_timestamp()}
    db.session.execute(update(Job).where(Job.id == id).values(told))
    db.session.execute(update(Queued).where(Queued.id == id).values(arguments={}))


def _told(error: Exception) -> dict[str, Any]:
    """What the log says of it: a refusal's sentence, and all of what nobody foresaw."""
    if isinstance(error, Refusal):
        return {"error": error.sentence}
    return {"error": type(error).__name__, "exc_info": error}


def _tell(id: int, error: Exception, *, final: bool) -> None:
    """Write why it failed, in words for whoever asked."""
    broken = BROKEN.format(origin.current().request_id)
    why = error.sentence if isinstance(error, Refusal) else broken
    finished_at = func.clock_timestamp() if final else None
    with transaction():
        failed = update(Job).where(Job.id == id)
        db.session.execute(failed.values(error=why, finished_at=finished_at))
