"""GET /jobs/{id}: for who asked, and for superusers."""

from __future__ import annotations

from flask.testing import FlaskClient

from project import origin
from project.db import transaction
from project.http.app import App
from project.jobs import enqueue
from tests.answers import document, problem
from tests.conftest import headers_of
from tests.jobs import laboratory
from tests.users.make import make_user
from tests.work import work


def asked(app: App, owner: int | None) -> int:
    with app.app_context():
        if owner is not None:
            origin.act(owner, "ada")
        with transaction():
            return enqueue(laboratory.TELL, told="hello").id


def test_who_asked_sees_how_far_it_is(app: App, client: FlaskClient, effects: None) -> None:
    headers = headers_of(app, username="ada")
    me = document(client.get("/api/v1/users/me", headers=headers))["id"]
    id = asked(app, me)
    waiting = document(client.get(f"/api/v1/jobs/{id}", headers=headers))
    created_at = waiting.pop("created_at")
    assert waiting == {
        "id": id,
        "task": "laboratory.tell",
        "status": "todo",
        "attempts": 0,
        "progress": 0,
        "result": None,
        "error": None,
        "finished_at": None,
    }
    work(app)
    done = document(client.get(f"/api/v1/jobs/{id}", headers=headers))
    assert (done["status"], done["progress"], done["result"]) == (
        "succeeded",
        100,
        {"told": "hello"},
    )
    assert done["finished_at"] > created_at


def test_others_may_not_and_superusers_may(
    app: App, client: FlaskClient, signed_in: dict[str, str], superuser: dict[str, str]
) -> None:
    with app.app_context(), transaction():
        other = make_user().id
    for owner in (other, None):
        path = f"/api/v1/jobs/{asked(app, owner)}"
        problem(client.get(path, headers=signed_in), 403, "forbidden")
        document(client.get(path, headers=superuser))
    for id in (10**9, 2**63, 10**39):
        problem(client.get(f"/api/v1/jobs/{id}", headers=superuser), 404, "not_found")
