"""GET /events: whoever follows gets every event, whatever the order of commits."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from project.db import Event, announce, db, transaction
from project.events.tasks import purge
from tests.answers import problem
from tests.server import Server
from tests.users.make import PASSWORD

INSERT = "INSERT INTO events (type, data, request_id) VALUES (%s, '{}', 'r')"


@pytest.fixture(scope="module")
def admin(server: Server) -> dict[str, str]:
    return server.sign_in()


def follow(
    server: Server, admin: dict[str, str], after: Any, **query: Any
) -> tuple[list[Any], Any]:
    """Types of what came since, and where to go on."""
    words = "".join(f"&{name}={value}" for name, value in query.items())
    status, page, _ = server.call("GET", f"/api/v1/events/?after={after}{words}", None, admin)
    assert status == 200
    return [each["type"] for each in page["items"]], page["next_after"]


def test_a_write_is_followed(server: Server, admin: dict[str, str]) -> None:
    _, start = newest(server, admin)
    ada = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}
    id = server.call("POST", "/api/v1/users/", ada, admin)[1]["id"]
    server.call("PATCH", f"/api/v1/users/{id}", {"bio": "Counts."}, admin)
    server.call("PATCH", f"/api/v1/users/{id}", {"username": "admin"}, admin)  # refused
    server.call("DELETE", f"/api/v1/users/{id}", None, admin)
    status, page, _ = server.call("GET", f"/api/v1/events/?after={start}", None, admin)
    assert status == 200
    assert [each["type"] for each in page["items"]] == [
        "user.created",
        "user.updated",
        "user.deleted",
    ]
    changed = page["items"][1]
    assert changed["data"]["fields"] == ["bio"]
    assert changed["actor_name"] == "admin"
    assert follow(server, admin, page["next_after"]) == ([], page["next_after"])
    assert follow(server, admin, start, type="user.updated", limit=1)[0] == ["user.updated"]


def newest(server: Server, admin: dict[str, str]) -> tuple[list[Any], Any]:
    """All the way to the end."""
    types, at = follow(server, admin, 0)
    while (more := follow(server, admin, at or 0))[0]:
        types, at = types + more[0], more[1]
    return types, at or 0


def test_none_is_skipped_though_transactions_commit_out_of_order(
    server: Server, admin: dict[str, str]
) -> None:
    _, at = newest(server, admin)
    seen = []
    with closing(server.connect()) as early, closing(server.connect()) as late:
        with early.cursor() as slow, late.cursor() as fast:
            slow.execute("SELECT pg_current_xact_id()")  # the first of them has the smaller number,
            fast.execute(INSERT, ["of the later"])
            slow.execute(INSERT, ["of the earlier"])  # and the greater id,
        late.commit()
        types, at = follow(server, admin, at)
        seen += types
        early.commit()  # and appears last
        types, at = follow(server, admin, at)
        seen += types
    assert sorted(seen) == ["of the earlier", "of the later"]


def test_who_follows_writers_in_a_hurry_sees_each_event_once(
    server: Server, admin: dict[str, str]
) -> None:
    """Transactions of random length, interleaved by hand, and a reader after each step."""
    _, at = newest(server, admin)
    seen: list[str] = []
    with (
        closing(server.connect()) as a,
        closing(server.connect()) as b,
        closing(server.connect()) as c,
    ):
        for step in range(60):
            writer = (a, b, c)[step * 7 % 3]
            with writer.cursor() as cursor:
                cursor.execute(INSERT, [f"step {step}"])
            if step * 5 % 4 == 0:
                (b, c, a)[step % 3].commit()
            types, at = follow(server, admin, at)
            seen += types
        for writer in (a, b, c):
            writer.commit()
    types, at = follow(server, admin, at)
    assert sorted(seen + types) == sorted(f"step {step}" for step in range(60))


def test_events_of_a_restored_dump_are_followed_by_new_ones(
    server: Server, admin: dict[str, str]
) -> None:
    """Their transactions have numbers that this server has not come to yet."""
    with closing(server.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            INSERT.replace("(type", "(xid, type").replace("(%s", f"({10**12}, %s"), ["old"]
        )
    assert server.flask("worker", "--once").returncode == 0
    assert newest(server, admin)[0][0] == "old"
    with closing(server.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(INSERT, ["new"])
    assert newest(server, admin)[0][-1] == "new"


def test_an_event_that_is_not_there_is_named(
    client: FlaskClient, superuser: dict[str, str]
) -> None:
    answer = client.get("/api/v1/events/?after=99", headers=superuser)
    found = problem(answer, 422, "invalid_fields")
    assert found["detail"] == "after: There is no event 99, or no longer; begin anew without it."


@pytest.mark.usefixtures("context")
def test_old_events_are_deleted_and_young_ones_kept() -> None:
    with transaction():
        announce("young")
        announce("old")
    aged = update(Event).where(Event.type == "old")
    db.session.execute(aged.values(created_at=func.now() - timedelta(days=31)))
    assert purge() is False
    assert db.session.scalars(select(Event.type)).all() == ["young"]
