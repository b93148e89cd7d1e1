"""Who may sign in, for many at once; and never oneself, nor the last superuser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from project.db import db
from project.errors import OnlySuperusers
from project.http.app import App
from project.users import service
from project.users.models import User
from tests.answers import problem
from tests.users.conftest import Member, enter
from tests.users.make import PASSWORD, make_user

URL = "/api/v1/users/"
BULK = f"{URL}bulk-status"
ME = f"{URL}me"
OWN = (
    "This is your own account; another superuser may do this. "
    "Change your own password with POST /api/v1/users/me/password."
)
LAST = "This is the last active superuser; make another first."


def ask(client: FlaskClient, who: Member, ids: Any, is_active: Any = False) -> TestResponse:
    return client.post(BULK, json={"ids": ids, "is_active": is_active}, headers=who.headers)


def versions(app: App, *ids: int) -> list[tuple[bool, int]]:
    """Who is active, and how often each has changed."""
    with app.app_context():
        users = [db.session.get_one(User, id) for id in ids]
        return [(user.is_active, user.version) for user in users]


@pytest.fixture
def ids(app: App, root: Member) -> list[int]:
    """A hundred users, every tenth of them inactive."""
    with app.app_context():
        made = [make_user(is_active=number % 10 > 0).id for number in range(100)]
        db.session.commit()
    return made


def test_a_status_is_given_to_many_and_who_is_not_there_is_named(
    app: App, client: FlaskClient, root: Member, ids: list[int]
) -> None:
    gone = [2**63 - 1, ids[-1] + 1]
    answer = ask(client, root, [gone[0], ids[1], gone[1], ids[0], ids[1], gone[0]])
    assert answer.status_code == 200
    assert answer.json == {"updated": 2, "not_found": gone}
    assert versions(app, *ids[:3]) == [(False, 1), (False, 2), (True, 1)]
    assert ask(client, root, ids[:2], True).json == {"updated": 2, "not_found": []}
    assert versions(app, *ids[:3]) == [(True, 2), (True, 3), (True, 1)]
    assert ask(client, root, gone).json == {"updated": 0, "not_found": gone}


def test_who_has_the_status_already_does_not_change(
    app: App, client: FlaskClient, root: Member, ids: list[int]
) -> None:
    before = client.get(f"{URL}{ids[0]}", headers=root.headers).json
    assert ask(client, root, [ids[0]]).json == {"updated": 1, "not_found": []}
    assert client.get(f"{URL}{ids[0]}", headers=root.headers).json == before
    own = client.get(ME, headers=root.headers).json
    assert ask(client, root, [root.id, *ids[:2]], True).status_code == 200
    assert client.get(ME, headers=root.headers).json == own


@pytest.mark.parametrize("active", [True, False])
def test_a_hundred_cost_as_many_statements_as_one(
    client: FlaskClient, root: Member, ids: list[int], statements: list[str], active: bool
) -> None:
    ask(client, root, ids[10:12], active)
    one = len(statements)
    statements.clear()
    answer = ask(client, root, ids, active)
    assert answer.json == {"updated": 100, "not_found": []}
    assert len(statements) == one <= (6 if not active else 4)


@pytest.mark.parametrize(
    ("ids", "code"),
    [
        ([], "length"),
        ([1] * 101, "length"),
        (list(range(1, 102)), "length"),
        (None, "null"),
        (5, "invalid"),
        ("5", "invalid"),
        ({"1": 1}, "invalid"),
        (["5"], "invalid"),
        ([True], "invalid"),
        ([1.5], "invalid"),
        ([None], "null"),
        ([[1]], "invalid"),
        ([0], "out_of_range"),
        ([-1], "out_of_range"),
        ([2**63], "out_of_range"),
        ([10**400], "out_of_range"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_list_of_ids_is_refused(
    client: FlaskClient, root: Member, ids: Any, code: str
) -> None:
    [error] = problem(ask(client, root, ids), 422, "invalid_fields")["errors"]
    assert (error["in"], error["field"], error["code"]) == ("body", "ids", code)


@pytest.mark.parametrize("active", [None, 0, "false", [], {}])
def test_a_status_is_true_or_false(client: FlaskClient, root: Member, active: Any) -> None:
    [error] = problem(ask(client, root, [1], active), 422, "invalid_fields")["errors"]
    assert error["field"] == "is_active"


def test_both_are_needed_and_nothing_else(client: FlaskClient, root: Member) -> None:
    answer = client.post(BULK, json={"is_superuser": True}, headers=root.headers)
    wrong = {
        error["field"]: error["code"] for error in problem(answer, 422, "invalid_fields")["errors"]
    }
    assert wrong == {"ids": "required", "is_active": "required", "is_superuser": "unknown"}


def test_sessions_of_the_deactivated_end_for_good_and_no_others(
    app: App, client: FlaskClient, root: Member
) -> None:
    ada, bob = enter(app), enter(app)
    for active in (False, True):
        assert ask(client, root, [ada.id], active).status_code == 200
        problem(client.get(ME, headers=ada.headers), 401, "unauthorized")
        assert client.get(ME, headers=bob.headers).status_code == 200
    assert client.get(ME, headers=root.headers).status_code == 200


def test_nobody_is_deactivated_when_oneself_is_among_them(
    app: App, client: FlaskClient, root: Member, ids: list[int]
) -> None:
    other = enter(app, is_superuser=True)
    answer = ask(client, root, [ids[1], other.id, root.id, ids[2]])
    assert problem(answer, 409, "own_account")["detail"] == OWN
    assert versions(app, ids[1], other.id, root.id, ids[2]) == [(True, 1)] * 4
    assert client.get(ME, headers=other.headers).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        {"is_active": False},
        {"is_superuser": False},
        {"password": PASSWORD},
        {"bio": "x", "is_active": False},
        {"is_superuser": False, "is_active": False},
        {"is_active": True, "password": "battery staple horse"},
    ],
    ids=str,
)
@pytest.mark.parametrize("alone", [True, False])
def test_nobody_locks_oneself_out(
    app: App, client: FlaskClient, root: Member, sent: dict[str, Any], alone: bool
) -> None:
    if not alone:
        enter(app, is_superuser=True)
    answer = client.patch(f"{URL}{root.id}", json=sent, headers=root.headers)
    assert problem(answer, 409, "own_account")["detail"] == OWN
    assert problem(client.delete(f"{URL}{root.id}", headers=root.headers), 409, "own_account")
    assert versions(app, root.id) == [(True, 1)]
    me = client.get(ME, headers=root.headers).json or {}
    assert (me["is_superuser"], me["bio"]) == (True, None)
    signed = client.post("/api/v1/auth/login", json={"login": "root", "password": PASSWORD})
    assert signed.status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        {"is_active": True},
        {"is_superuser": True},
        {"bio": "x"},
        {"username": "chief", "email": "chief@house.org", "is_active": True},
    ],
    ids=str,
)
def test_what_takes_nothing_away_may_be_done_to_oneself(
    client: FlaskClient, root: Member, sent: dict[str, Any]
) -> None:
    answer = client.patch(f"{URL}{root.id}", json=sent, headers=root.headers)
    assert answer.status_code == 200
    assert {name: (answer.json or {})[name] for name in sent} == sent
    assert client.get(ME, headers=root.headers).status_code == 200


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize(
    "sent",
    [{"is_superuser": False}, {"is_active": False, "bio": "x"}],
    ids=["demote", "deactivate"],
)
def test_the_last_active_superuser_stays(sent: dict[str, Any]) -> None:
    """Even for who sits at a terminal; one who is not active does not count."""
    make_user(is_superuser=True, is_active=False)
    last = make_user(is_superuser=True)
    with pytest.raises(service.LastSuperuser) as caught:
        service.update(last.id, sent, by=None)
    assert (caught.value.code, caught.value.sentence) == ("last_superuser", LAST)
    db.session.refresh(last)
    assert (last.is_superuser, last.is_active, last.version) == (True, True, 1)
    second = make_user(is_superuser=True)
    service.update(last.id, sent, by=None)
    with pytest.raises(service.LastSuperuser):
        service.update(second.id, sent, by=None)


WORK: dict[str, Callable[[int, User], Any]] = {
    "demote": lambda id, by: service.update(id, {"is_superuser": False}, by=by),
    "promote": lambda id, by: service.update(id, {"is_superuser": True}, by=by),
    "deactivate": lambda id, by: service.update(id, {"is_active": False}, by=by),
    "activate": lambda id, by: service.update(id, {"is_active": True}, by=by),
    "delete": lambda id, by: service.delete(id, by=by),
    "bulk": lambda id, by: service.set_status([id], False, by=by),
    "bulk activate": lambda id, by: service.set_status([id], True, by=by),
}


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
@pytest.mark.parametrize("lost", [{"is_superuser": False}, {"is_active": False}], ids=str)
def test_who_has_lost_rights_since_the_guard_gives_and_takes_none(
    work: Callable[[int, User], Any], lost: dict[str, bool]
) -> None:
    by, *_ = (make_user(is_superuser=True) for _ in range(2))
    users = [make_user(is_superuser=True), make_user(), make_user(is_active=False)]
    db.session.execute(update(User).where(User.id == by.id).values(lost))
    for user in users:
        with pytest.raises(OnlySuperusers):
            work(user.id, by)
        db.session.refresh(user)
        assert user.version == 1


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize("way", ["demote", "deactivate", "delete", "bulk"])
def test_the_last_superuser_stays_whoever_lost_rights_since_the_guard(way: str) -> None:
    last, by = make_user(is_superuser=True), make_user()
    with pytest.raises(service.LastSuperuser):
        WORK[way](last.id, by)
    db.session.refresh(last)
    assert (last.is_superuser, last.is_active, last.version) == (True, True, 1)


@pytest.mark.usefixtures("context")
def test_one_superuser_may_deactivate_all_others() -> None:
    by, others = make_user(is_superuser=True), [make_user(is_superuser=True).id for _ in range(3)]
    assert service.set_status(others, False, by=by) == {"updated": 3, "not_found": []}
    with pytest.raises(service.LastSuperuser):
        service.update(by.id, {"is_active": False}, by=None)


@pytest.mark.usefixtures("context")
def test_who_is_no_superuser_loses_nothing_by_it() -> None:
    by, user = make_user(is_superuser=True), make_user()
    assert service.update(user.id, {"is_superuser": False}, by=by).is_superuser is False
    assert service.update(user.id, {"is_active": False}, by=None).is_active is False
