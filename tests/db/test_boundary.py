"""One request, one transaction: who commits, who does not, and what a failing commit becomes."""

from __future__ import annotations

import ast
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_INTRANS
from sqlalchemy import event, text

from config import ROOT
from project.db import announce, db, reading, transaction
from project.errors import Refused
from tests.conftest import administration
from tests.db.conftest import Bench, run
from tests.samples.make import make_sample
from tests.samples.models import Sample

DEFERRED = """
CREATE TABLE IF NOT EXISTS promise (kept boolean);
CREATE OR REPLACE FUNCTION promise() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NOT NEW.kept THEN RAISE EXCEPTION 'secret promise' USING ERRCODE = TG_ARGV[0]; END IF;
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS promise ON promise;
CREATE CONSTRAINT TRIGGER promise AFTER INSERT ON promise
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION promise('{state}');
"""


def samples(bench: Bench) -> int:
    with bench.app.app_context():
        return int(run("SELECT count(*) FROM samples"))


@pytest.mark.parametrize(
    ("state", "status", "code"),
    [
        ("P0001", 500, "internal_error"),
        ("23514", 500, "internal_error"),
        ("40001", 503, "busy"),
        ("55P03", 503, "busy"),
        ("22003", 422, "invalid_fields"),
    ],
)
def test_a_commit_that_fails_is_a_problem_document_and_leaves_nothing(
    bench: Bench, capsys: pytest.CaptureFixture[str], state: str, status: int, code: str
) -> None:
    with administration(bench.url) as do:
        do(DEFERRED.format(state=state))
    before = samples(bench)

    def work() -> None:
        make_sample()
        announce("sample.created", sample_id=1)
        run("INSERT INTO promise VALUES (false)")

    answer = bench.post(work)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert answer.json["code"] == code
    assert "promise" not in answer.text
    assert samples(bench) == before
    assert "sample.created" not in capsys.readouterr().err


def test_a_post_commits_once_and_then_tells(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    before = samples(bench)

    def work() -> None:
        make_sample()
        announce("told")
        assert "told" not in capsys.readouterr().err

    with ended(bench) as ends:
        assert bench.post(work).status_code == 200
    assert ends == ["commit"]
    assert samples(bench) == before + 1
    assert '"event": "told"' in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [Refused("No."), RuntimeError("no"), KeyboardInterrupt()])
def test_raising_is_rolling_back(
    bench: Bench, capsys: pytest.CaptureFixture[str], wrong: BaseException
) -> None:
    before = samples(bench)

    def work() -> None:
        make_sample()
        announce("told")
        raise wrong

    if isinstance(wrong, Exception):
        assert bench.post(work).status_code in (400, 500)
    else:
        with pytest.raises(KeyboardInterrupt):
            bench.post(work)
    assert samples(bench) == before
    assert '"event": "told"' not in capsys.readouterr().err


def refused(work: Callable[[], object] = lambda: None) -> None:
    with transaction():
        work()
        announce("told")
        raise Refused("No.")


def test_events_of_a_refused_request_are_not_told_later(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    with bench.app.app_context():  # one session for both
        with pytest.raises(Refused):
            refused()
        with transaction():
            pass
    assert "told" not in capsys.readouterr().err


@contextmanager
def ended(bench: Bench) -> Iterator[list[str]]:
    """How transactions end meanwhile."""
    with bench.app.app_context():
        engine = db.engine
    ends: list[str] = []
    listeners = {name: lambda _, name=name: ends.append(name) for name in ("commit", "rollback")}
    for name, listener in listeners.items():
        event.listen(engine, name, listener)
    yield ends
    for name, listener in listeners.items():
        event.remove(engine, name, listener)


def test_a_request_speaks_over_one_connection(bench: Bench) -> None:
    def work() -> list[int]:
        return [run("SELECT pg_backend_pid()") for _ in range(3)]

    for ask in (bench.get, bench.post):
        assert len(set(ask(work).json["found"])) == 1


def test_reading_sends_one_statement(bench: Bench) -> None:
    """Nothing before it and nothing behind it, as the server has it."""
    with bench.app.app_context():
        db.engine.dispose()
    pids = {bench.get(lambda: run("SELECT pg_backend_pid()")).json["found"] for _ in range(3)}
    last = "SELECT query FROM pg_stat_activity WHERE pid = :pid"
    with bench.app.app_context(), db.engine.connect(), db.engine.connect() as other:
        [pid] = pids
        assert other.scalar(text(last), {"pid": pid}) == "SELECT pg_backend_pid()"


def status() -> int:
    """What the connection under way is doing, by libpq's word."""
    driver: Any = db.session.connection().connection.dbapi_connection
    return int(driver.info.transaction_status)


def test_reading_needs_no_transaction(bench: Bench) -> None:
    def work() -> list[Any]:
        first = run("SELECT now()::text")
        time.sleep(0.01)
        return [first != run("SELECT now()::text"), status()]

    assert bench.get(work).json["found"] == [True, TRANSACTION_STATUS_IDLE]
    assert bench.post(work).json["found"] == [False, TRANSACTION_STATUS_INTRANS]
    assert bench.get(work).json["found"] == [True, TRANSACTION_STATUS_IDLE]  # the same connection


def test_writing_after_reading_is_a_transaction_too(bench: Bench) -> None:
    """Also in one application context, as a command or a job may do it."""
    before = samples(bench)
    with bench.app.app_context():
        with reading():
            run("SELECT 1")
        with pytest.raises(Refused):
            refused(make_sample)
    assert samples(bench) == before


def test_reading_never_commits(bench: Bench) -> None:
    id = bench.post(lambda: make_sample().id).json["found"]

    def forgetful() -> None:
        db.session.get_one(Sample, id).name = "changed while reading"

    with ended(bench) as ends:
        for path in ("", "?limit=1&sort=-price", str(id), "search/?q=x"):
            assert bench.client.get(f"/api/v1/samples/{path}").status_code == 200
        assert bench.get(forgetful).status_code == 200
    assert "commit" not in ends
    changed = bench.client.get(f"/api/v1/samples/{id}").json or {}
    assert changed["name"] != "changed while reading"


def test_connections_go_back_to_the_pool_whatever_happens(bench: Bench) -> None:
    def fail() -> None:
        run("SELECT 1")
        raise RuntimeError("no")

    for _ in range(4):  # twice the pool
        assert bench.get(fail).status_code == 500
        assert bench.post(fail).status_code == 500
        assert bench.get(lambda: run("SELECT 1/0")).status_code == 422
        assert bench.client.get("/nowhere").status_code == 404
    with bench.app.app_context():
        pool: Any = db.engine.pool
        assert pool.checkedout() == 0


# What works on the whole database has a connection of its own, and no request.
WHOLE = {"project/backup/service.py", "project/db/migrating.py", "project/db/whole.py"}


def test_nobody_else_commits() -> None:
    """Nor rolls back, nor begins: `project/db/transactions.py` is the place."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.func.attr}"
        for path in sorted((ROOT / "project").rglob("*.py"))
        if str(path.relative_to(ROOT)) not in WHOLE
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in ("commit", "rollback", "begin", "begin_nested")
    ]
    assert found
    assert {line.split(":")[0] for line in found} == {"project/db/transactions.py"}
    assert sum(line.endswith(" commit") for line in found) == 1


def test_one_request_keeps_nothing_for_the_next(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    client = bench.client
    client.get("/healthz", headers={"X-Request-Id": "first"})
    client.get("/nowhere")
    first, second = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (first["request_id"], second["request_id"] != "first") == ("first", True)
