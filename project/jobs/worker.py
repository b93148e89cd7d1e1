"""The worker: Procrastinate's, with psycopg 3 for the queue and the application for the work."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

import procrastinate
import psycopg
import structlog
from flask import Flask
from procrastinate.exceptions import ConnectorException
from procrastinate.job_context import JobContext
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from psycopg_pool import AsyncConnectionPool

from config import NAME
from project import telemetry
from project.db import db
from project.errors import Unavailable
from project.jobs import running
from project.jobs.registry import CHORES, TASKS, Chore, Task

HEARTBEAT = 3  # seconds between two signs of life
AWAY = 2  # seconds before a database that was away is asked again
PATIENCE = 30  # times AWAY to write down how a job ended

log = structlog.get_logger("project")


class Backoff(BaseRetryStrategy):
    """A task's own waits."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        wait = self.task.wait(exception, job.attempts)
        return None if wait is None else RetryDecision(retry_in={"seconds": wait})


class Patient(JobManager):
    """How a job ended is written down even if the database is away at that moment: nobody would
    look for it while this worker lives.
    """

    async def finish_job(self, *args: Any, **kwargs: Any) -> None:
        await self._patiently(partial(super().finish_job, *args, **kwargs))

    async def retry_job(self, *args: Any, **kwargs: Any) -> None:
        await self._patiently(partial(super().retry_job, *args, **kwargs))

    async def _patiently(self, write: Callable[[], Awaitable[None]]) -> None:
        for _ in range(PATIENCE):
            with suppress(ConnectorException):
                return await write()
            await asyncio.sleep(AWAY)
        return await write()


class Pool(AsyncConnectionPool):
    """Connections for the queue; who waits for the first may soon be told to stop."""

    async def open(self, wait: bool = False, timeout: float = 3) -> None:
        await super().open(wait, timeout)


class Worker:
    """Does jobs and chores until it is told to stop; then it finishes what it is at.

    once: stop when nothing is left to be done.
    parent: stop when this process has ended.
    """

    def __init__(self, app: Flask, concurrency: int, *, once: bool, parent: int | None) -> None:
        self.app, self.concurrency, self.once, self.parent = app, concurrency, once, parent
        self.stopping = asyncio.Event()

    async def serve(self) -> None:
        """Work; raises nothing that a database which is away for a while could cause."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(self.concurrency + 1))
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self.stopping.set)
        quiet()
        log.info("worker.started", concurrency=self.concurrency)
        await asyncio.gather(self._queue(), self._chores(), self._parent())
        log.info("worker.stopped")

    async def _queue(self) -> None:
        while not self.stopping.is_set():
            try:
                await self._jobs()
            except (ConnectorException, psycopg.Error) as error:
                said = str(error.__cause__ or error).partition("\n")[0]
                log.warning("worker.no_queue", error=said)
                if self.once:
                    self.stopping.set()
                    raise Unavailable("The queue is away; try again.") from error
                await self._pause(AWAY)

    async def _jobs(self) -> None:
        """Serve the queue until told to stop, or until the connection is lost."""
        queue = self._connected()
        async with queue.open_async():
            serving = asyncio.create_task(
                queue.run_worker_async(
                    concurrency=self.concurrency,
                    wait=not self.once,
                    install_signal_handlers=False,
                    update_heartbeat_interval=HEARTBEAT,
                )
            )
            told = asyncio.create_task(self.stopping.wait())
            await asyncio.wait([serving, told], return_when=asyncio.FIRST_COMPLETED)
            told.cancel()
            serving.cancel()  # which lets it finish what it is at
            with suppress(asyncio.CancelledError):
                await serving
        if self.once:
            self.stopping.set()

    def _connected(self) -> procrastinate.App:
        """The queue with our tasks, on the database of the application."""
        with self.app.app_context():
            if (cluster := self.app.extensions["embedded"]) is not None:
                cluster.ensure()
            url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        connector = procrastinate.PsycopgConnector(
            pool_factory=Pool,
            conninfo=url,
            kwargs={"application_name": f"{NAME}-queue", "connect_timeout": 3},
            min_size=1,
            max_size=4,
            timeout=10,
        )
        queue = procrastinate.App(connector=connector)
        queue.job_manager = Patient(connector)
        for task in TASKS.values():
            work = partial(self._do, task)
            queue.task(name=task.name, retry=Backoff(task), pass_context=True)(work)
        return queue

    def _do(self, task: Task, context: JobContext, /, **arguments: Any) -> None:
        assert context.job.id is not None  # because it has been queued
        about: dict[str, str | int] = {"job.id": context.job.id, "job.task": task.name}
        with self.app.app_context(), telemetry.span(task.name, "CONSUMER", about):
            running.run(task, context.job.id, context.job.attempts, arguments)

    async def _chores(self) -> None:
        """Each when its time has come, one after the other: they share a connection."""
        due = dict.fromkeys(range(len(CHORES)), 0.0)
        while not self.stopping.is_set():
            for place, chore in enumerate(CHORES):
                if time.monotonic() >= due[place]:
                    more = await asyncio.to_thread(self._attend, chore)
                    due[place] = time.monotonic() + (0 if more else chore.seconds)
            await self._pause(0.5)

    def _attend(self, chore: Chore) -> bool:
        with self.app.app_context():
            return running.attend(chore)

    async def _parent(self) -> None:
        while self.parent is not None and not self.stopping.is_set():
            if os.getppid() != self.parent:
                self.stopping.set()
            await self._pause(1)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)


def quiet() -> None:
    """Keep what the library says of single jobs out of the log: it names their arguments."""
    of_a_job = ("job_error", "job_error_retry", "job_success")
    logging.getLogger("procrastinate.worker").addFilter(
        lambda record: getattr(record, "action", None) not in of_a_job
    )
