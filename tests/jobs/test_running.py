"""A job is there if its transaction committed, and has its effects once."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select, text

from project import origin
from project.db import db, transaction
from project.errors import Refused
from project.http.app import App
from project.jobs import Job, TryAgain, enqueue, enqueue_all
from project.jobs.models import Queued
from project.jobs.registry import TASKS
from project.jobs.running import run
from tests.work import work

pytestmark = pytest.mark.usefixtures("effects")


def asked(name: str, /, **arguments: Any) -> int:
    with transaction():
        return enqueue(name, **arguments).id


def told() -> list[tuple[str, str | None]]:
    rows = db.session.execute(text("SELECT told, actor FROM effects ORDER BY id"))
    return [(row.told, row.actor) for row in rows]


def job(id: int) -> Job:
    """As it is now; and no savepoint stays open, which would undo what others do later."""
    found = db.session.get_one(Job, id, populate_existing=True)
    db.session.expunge_all()
    db.session.commit()
    return found


def test_a_job_is_done_as_who_asked_and_under_the_same_request_id(
    app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    origin.enter("request-1")
    origin.act(7, "ada")
    id = asked("laboratory.tell", told="hello")
    assert (job(id).status, job(id).attempts, job(id).progress) == ("todo", 0, 0)
    origin.enter("another")
    assert work(app) == 1
    done = job(id)
    assert (done.status, done.attempts, done.progress) == ("succeeded", 1, 100)
    assert (done.result, done.error, done.actor_id) == ({"told": "hello"}, None, 7)
    assert db.session.scalar(select(Queued.arguments)) == {}
    assert done.finished_at is not None
    assert told() == [("hello", "ada")]
    [line] = [line for line in capsys.readouterr().err.splitlines() if '"job.done"' in line]
    assert '"request_id": "request-1"' in line
    assert "hello" not in line


def test_a_job_that_was_asked_for_and_rolled_back_is_none(app: App) -> None:
    with pytest.raises(Refused):
        ask_and_refuse()
    assert db.session.scalar(select(func.count()).select_from(Queued)) == 0
    assert work(app) == 0


def ask_and_refuse() -> None:
    with transaction():
        enqueue("laboratory.tell", told="never")
        raise Refused("no")


def test_many_are_one_statement_and_in_order(app: App, statements: list[str]) -> None:
    with transaction():
        jobs = enqueue_all("laboratory.tell", [{"told": str(number)} for number in range(20)])
        assert len(jobs) == 20
    assert len(statements) == 1
    work(app)
    assert [line for line, _ in told()] == [str(number) for number in range(20)]


def test_what_has_less_priority_is_begun_last(app: App) -> None:
    asked("laboratory.tell_later", told="later")
    asked("laboratory.tell", told="now")
    work(app)
    assert [line for line, _ in told()] == ["now", "later"]


def test_a_name_that_is_no_task_is_a_bug_of_the_caller() -> None:
    with pytest.raises(KeyError):
        enqueue("laboratory.missing")


def test_a_refusal_ends_it_and_what_it_wrote_is_undone(app: App) -> None:
    id = asked("laboratory.refuse", told="undone")
    assert work(app) == 1
    assert (job(id).status, job(id).error) == ("failed", "This cannot be done.")
    assert job(id).finished_at is not None
    assert told() == []


def test_a_bug_is_tried_again_and_then_has_failed_without_telling_of_the_inside(
    app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    origin.enter("request-2")
    id = asked("laboratory.break", told="undone")
    assert work(app) == 3
    assert (job(id).status, job(id).attempts) == ("failed", 3)
    sentence = "Something broke on our side; request id request-2 finds it in the log."
    assert job(id).error == sentence
    assert told() == []
    assert capsys.readouterr().err.count("RuntimeError: a secret") == 3


def test_what_wants_to_come_again_waits_as_its_task_says(app: App) -> None:
    task = TASKS["laboratory.come_again"]
    id = asked("laboratory.come_again")
    with pytest.raises(TryAgain):
        run(task, id, 1, {})
    assert task.wait(RuntimeError(), 0) == 0
    assert task.wait(RuntimeError(), 1) == 3600
    assert task.wait(RuntimeError(), 2) is None
    assert task.wait(Refused("no"), 0) is None
    assert (job(id).error, job(id).finished_at) == ("The other side is away.", None)


def test_a_job_that_committed_is_never_done_again(app: App) -> None:
    """The worker died before it could tell the queue."""
    id = asked("laboratory.tell", told="once")
    run(TASKS["laboratory.tell"], id, 0, {"told": "once"})
    assert work(app) == 1
    assert (job(id).status, len(told())) == ("succeeded", 1)


def test_one_that_failed_for_good_has_failed_if_it_comes_again(app: App) -> None:
    id = asked("laboratory.refuse", told="never")
    with pytest.raises(Refused):
        run(TASKS["laboratory.refuse"], id, 0, {"told": "never"})
    work(app)
    assert (job(id).status, job(id).error) == ("failed", "This cannot be done.")


@pytest.mark.parametrize("fail", [True, False])
def test_what_a_job_asks_for_is_there_if_its_own_transaction_commits(app: App, fail: bool) -> None:
    asked("laboratory.pass_on", told="passed on", fail=fail)
    assert work(app) == (1 if fail else 2)
    assert told() == ([] if fail else [("passed on", None)])


def test_outside_work_has_no_transaction_around_it(app: App) -> None:
    id = asked("laboratory.outside")
    work(app)
    assert (job(id).status, job(id).result) == ("succeeded", "done")
