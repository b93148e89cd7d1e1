"""What workers and `flask jobs` do to the queue."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskCliRunner
from sqlalchemy import func, insert, select, update

from project import origin
from project.db import db, transaction
from project.http.app import App
from project.jobs import Job, enqueue
from project.jobs.models import Queued, Worker
from project.jobs.tasks import purge, rescue, wait_for_a_release
from tests.jobs import laboratory
from tests.work import work

pytestmark = pytest.mark.usefixtures("effects")


@pytest.fixture
def shell(app: App) -> FlaskCliRunner:
    return app.test_cli_runner()


def asked(task: str = laboratory.TELL) -> int:
    with transaction():
        return enqueue(task, told="hello").id


def held(id: int, *, silent_for: int | None, attempts: int = 0) -> None:
    """As if a worker had it whose last sign of life was so long ago, or that is unknown."""
    doing = {"status": "doing", "attempts": attempts, "worker_id": None}
    if silent_for is not None:
        last = func.now() - timedelta(seconds=silent_for)
        doing["worker_id"] = db.session.scalar(
            insert(Worker).values(last_heartbeat=last).returning(Worker.id)
        )
    db.session.execute(update(Queued).where(Queued.id == id).values(doing))
    db.session.commit()


def state(id: int) -> tuple[str, int]:
    found = select(Queued.status, Queued.attempts).where(Queued.id == id)
    status, attempts = db.session.execute(found).one()
    return status, attempts


@pytest.mark.parametrize(("silent_for", "then"), [(11, "todo"), (None, "todo"), (5, "doing")])
def test_what_a_dead_worker_had_is_queued_again(silent_for: int | None, then: str) -> None:
    id = asked()
    held(id, silent_for=silent_for)
    rescue()
    assert state(id) == (then, 1 if then == "todo" else 0)


def test_what_kills_every_worker_has_failed_in_the_end(app: App) -> None:
    id = asked("laboratory.outside")
    for attempts in (0, 1):
        held(id, silent_for=60, attempts=attempts)
        rescue()
    assert state(id) == ("failed", 2)
    job = db.session.get_one(Job, id)
    assert job.error == "The workers that tried it died."
    assert job.finished_at is not None


def test_what_is_said_of_a_job_left_behind_is_under_the_id_of_its_request(
    capsys: pytest.CaptureFixture[str],
) -> None:
    origin.enter("the-cause")
    id, unknown = asked(), asked()
    held(id, silent_for=60)
    failed = {"status": "failed", "attempts": 1}
    db.session.execute(update(Queued).where(Queued.id == unknown).values(failed))
    origin.enter()
    rescue()
    wait_for_a_release()
    logged = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    told = {line["event"]: (line["job_id"], line["request_id"]) for line in logged}
    assert told == {"job.rescued": (id, "the-cause"), "job.unknown": (unknown, "the-cause")}


def test_a_job_whose_effects_are_there_is_not_said_to_have_died() -> None:
    id = asked("laboratory.outside")
    done = update(Job).where(Job.id == id).values(finished_at=func.now(), result="done")
    db.session.execute(done)
    held(id, silent_for=60, attempts=1)
    rescue()
    assert state(id)[0] == "succeeded"
    assert db.session.get_one(Job, id).error is None


def test_a_task_that_no_worker_knows_waits_for_a_release_and_then_has_failed(app: App) -> None:
    id = asked()
    failed = {"status": "failed", "attempts": 1}
    db.session.execute(update(Queued).where(Queued.id == id).values(failed))
    wait_for_a_release()
    assert state(id) == ("todo", 2)
    db.session.execute(update(Queued).where(Queued.id == id).values({**failed, "attempts": 60}))
    old = func.now() - timedelta(hours=1)
    db.session.execute(update(Job).where(Job.id == id).values(created_at=old))
    wait_for_a_release()
    assert state(id) == ("failed", 60)
    job = db.session.get_one(Job, id, populate_existing=True)
    assert (job.error, job.finished_at is not None) == ("No worker knows this task.", True)


def test_old_jobs_are_forgotten_and_what_failed_is_kept_longer(app: App) -> None:
    succeeded, failed = asked(), asked("laboratory.refuse")
    work(app)
    waiting = asked()
    for days, left in ((6, [succeeded, failed]), (8, [failed]), (31, [])):
        ago = func.now() - timedelta(days=days)
        db.session.execute(update(Job).where(Job.id != waiting).values(finished_at=ago))
        assert purge() is False
        assert db.session.scalars(select(Job.id).order_by(Job.id)).all() == [*left, waiting]
        assert db.session.scalars(select(Queued.id).order_by(Queued.id)).all() == [*left, waiting]


def test_jobs_are_listed_newest_first(app: App, shell: FlaskCliRunner) -> None:
    first = asked("laboratory.refuse")
    work(app)
    second = asked()
    said = shell.invoke(args=["jobs", "list"]).output.splitlines()
    assert [line.split()[:3] for line in said[1:]] == [
        [str(second), "laboratory.tell", "todo"],
        [str(first), "laboratory.refuse", "failed"],
    ]
    assert said[2].endswith("This cannot be done.")
    for option, id in (("--status=failed", first), ("--task=laboratory.tell", second)):
        [line] = shell.invoke(args=["jobs", "list", option]).output.splitlines()[1:]
        assert line.split()[0] == str(id)


def test_what_has_failed_is_tried_once_more(app: App, shell: FlaskCliRunner) -> None:
    id = asked("laboratory.refuse")
    work(app)
    said = shell.invoke(args=["jobs", "retry", str(id)])
    assert (said.exit_code, said.output) == (0, f"Job {id} is queued again.\n")
    assert state(id)[0] == "todo"
    assert work(app) == 1
    assert state(id)[0] == "failed"


def test_what_waits_can_be_cancelled(app: App, shell: FlaskCliRunner) -> None:
    id = asked()
    said = shell.invoke(args=["jobs", "cancel", str(id)])
    assert (said.exit_code, said.output) == (0, f"Job {id} is cancelled.\n")
    assert work(app) == 0
    assert state(id)[0] == "cancelled"


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("retry", "Only what has failed can be tried again; job {} is todo."),
        ("cancel", "Only what waits can be cancelled; job {} is succeeded."),
    ],
)
def test_jobs_in_another_status_are_left_alone(
    app: App, shell: FlaskCliRunner, command: str, sentence: str
) -> None:
    id = asked()
    if command == "cancel":
        work(app)
    said = shell.invoke(args=["jobs", command, str(id)])
    assert (said.exit_code, said.stderr) == (1, f"Error: {sentence.format(id)}\n")
    missing: Any = shell.invoke(args=["jobs", command, "99999"])
    assert (missing.exit_code, missing.stderr) == (1, "Error: Job with id 99999 not found\n")


def test_purge_says_how_many_it_forgot(app: App, shell: FlaskCliRunner) -> None:
    for _ in range(3):
        asked()
    work(app)
    assert shell.invoke(args=["jobs", "purge"]).output == "Forgot 0 finished jobs.\n"
    assert shell.invoke(args=["jobs", "purge", "--days", "0"]).output == "Forgot 3 finished jobs.\n"
