"""Passwords changed and lost: what ends, and what nobody can slip through meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from threading import Event
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from project import opaque
from project.auth import service as auth
from project.auth import tokens
from project.db import db
from project.errors import Refusal, Refused, Unauthorized
from project.http.app import App
from project.sessions import service as sessions
from project.sessions.models import Session
from project.users import credentials, passwords, service
from project.users.models import PasswordReset, User
from tests.sessions.make import begin
from tests.users.conftest import Member, between, done, enter
from tests.users.make import HASHED, PASSWORD, begun, make_user

ME = "/api/v1/users/me"
URL = f"{ME}/password"
OTHER = "battery staple horse"


@pytest.fixture
def ada(app: App, isolated: None) -> Member:
    return enter(app, username="ada", email="ada@example.org")


def change(client: FlaskClient, who: Member, current: Any, password: Any) -> TestResponse:
    sent = {"current_password": current, "password": password}
    return client.post(URL, json=sent, headers=who.headers)


def matching(app: App, id: int) -> set[str]:
    """Which of the passwords of these tests is the user's."""
    with app.app_context():
        hashed = db.session.get_one(User, id).hashed_password
    return {
        each for each in (PASSWORD, OTHER, "a third password") if passwords.matches(hashed, each)
    }


def count(model: Any, id: int) -> int:
    counted = select(func.count()).select_from(model).where(model.user_id == id)
    return db.session.scalar(counted) or 0


def test_a_new_password_ends_every_other_session_and_mailed_tokens(
    app: App, client: FlaskClient, ada: Member
) -> None:
    with app.app_context():
        user = db.session.get_one(User, ada.id)
        pair, stranger = tokens.issue(*begin(user)), make_user()
        begin(stranger)
        token = begun("ada@example.org")
        other, stranger_id = {"Authorization": f"Bearer {pair['access_token']}"}, stranger.id
        db.session.commit()
    answer = change(client, ada, PASSWORD, OTHER)
    assert (answer.status_code, answer.data) == (204, b"")
    assert client.get(ME, headers=ada.headers).status_code == 200
    assert client.get(ME, headers=other).status_code == 401
    again = client.post("/api/v1/auth/refresh", json={"refresh_token": pair["refresh_token"]})
    assert again.status_code == 401
    used = {"token": token, "password": "a third password"}
    assert client.post("/api/v1/auth/password/reset", json=used).status_code == 400
    assert matching(app, ada.id) == {OTHER}
    with app.app_context():
        assert count(Session, stranger_id) == 1


@pytest.mark.parametrize("wrong", [PASSWORD + " ", PASSWORD.upper(), "x", "x" * 128, "é" * 9])
def test_who_does_not_know_the_current_password_changes_nothing(
    app: App, client: FlaskClient, ada: Member, wrong: str
) -> None:
    with app.app_context():
        begin(db.session.get_one(User, ada.id))
        db.session.commit()
    answer = change(client, ada, wrong, OTHER)
    assert answer.status_code == 400
    assert (answer.json or {})["code"] == "wrong_password"
    assert (answer.json or {})["detail"] == "The current password is wrong."
    assert matching(app, ada.id) == {PASSWORD}
    with app.app_context():
        assert count(Session, ada.id) == 2


@pytest.mark.parametrize(
    ("sent", "field", "code"),
    [
        ({"password": None}, "password", "null"),
        ({"password": "x" * 7}, "password", "too_short"),
        ({"password": "x" * 129}, "password", "too_long"),
        ({"password": 12345678}, "password", "invalid"),
        ({"password": "LetMeIn1"}, "password", "too_common"),
        ({"current_password": None}, "current_password", "null"),
        ({"current_password": ""}, "current_password", "blank"),
        ({"current_password": "x" * 129}, "current_password", "too_long"),
        ({"id": 1}, "id", "unknown"),
        ({"username": "eve"}, "username", "unknown"),
    ],
)
def test_what_does_not_validate_is_refused(
    app: App, client: FlaskClient, ada: Member, sent: dict[str, Any], field: str, code: str
) -> None:
    given = {"current_password": PASSWORD, "password": OTHER, **sent}
    answer = client.post(URL, json=given, headers=ada.headers)
    assert answer.status_code == 422
    [error] = (answer.json or {})["errors"]
    assert (error["field"], error["code"]) == (field, code)
    assert OTHER not in answer.text
    assert matching(app, ada.id) == {PASSWORD}


@pytest.mark.usefixtures("context")
def test_a_mailed_token_counts_once_and_ends_every_session() -> None:
    user = make_user(username="ada", email="ada@example.org")
    begin(user)
    tokens = [begun("ada@example.org") for _ in range(2)]
    credentials.reset(tokens[1], OTHER)
    assert passwords.matches(user.hashed_password, OTHER)
    assert (count(Session, user.id), count(PasswordReset, user.id)) == (0, 0)
    for token in tokens:
        with pytest.raises(Refused) as caught:
            credentials.reset(token, PASSWORD)
        assert caught.value.code == "invalid_reset_token"


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize("token", ["", "x", "é" * 43, "\x00", "A" * 43])
def test_a_token_nobody_mailed_is_refused(token: str) -> None:
    user = make_user()
    assert credentials.begin_reset("nobody@example.org") is None
    with pytest.raises(Refused) as caught:
        credentials.reset(token, OTHER)
    assert caught.value.code == "invalid_reset_token"
    assert user.hashed_password == HASHED


@pytest.mark.usefixtures("context")
def test_a_token_counts_for_an_hour() -> None:
    user = make_user(email="ada@example.org")
    tokens = [begun("ada@example.org") for _ in range(2)]
    [lasting] = {row.expires_at for row in db.session.scalars(select(PasswordReset))}
    assert lasting - user.created_at == timedelta(hours=1)
    first = PasswordReset.hash == opaque.hashed(tokens[0])
    db.session.execute(update(PasswordReset).where(first).values(expires_at=func.now()))
    with pytest.raises(Refused):
        credentials.reset(tokens[0], OTHER)
    credentials.reset(tokens[1], OTHER)


@pytest.mark.usefixtures("context")
def test_what_has_expired_is_swept_away() -> None:
    user = make_user(email="ada@example.org")
    begun("ada@example.org")
    db.session.execute(update(PasswordReset).values(expires_at=func.now()))
    lasting = begun("ada@example.org")
    assert credentials.sweep_resets() is False
    assert count(PasswordReset, user.id) == 1
    credentials.reset(lasting, OTHER)


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize(
    ("values", "forgotten"),
    [
        ({"email": "new@example.org"}, True),
        ({"password": OTHER}, True),
        ({"is_active": False}, True),
        ({"is_active": True, "is_superuser": True}, False),
        ({"bio": "x", "username": "eve"}, False),
    ],
    ids=str,
)
def test_a_mailed_token_is_worth_nothing_to_who_no_longer_reads_the_mail(
    values: dict[str, Any], forgotten: bool
) -> None:
    user = make_user(email="ada@example.org")
    begin(user)
    begun("ada@example.org")
    service.update(user.id, values, by=None)
    assert count(PasswordReset, user.id) == (0 if forgotten else 1)
    assert count(Session, user.id) == (1 if "email" in values or not forgotten else 0)


def test_a_hash_of_weaker_make_is_replaced_at_the_next_sign_in_and_nothing_else(
    app: App, client: FlaskClient, isolated: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(passwords, "HASHER", type(passwords.HASHER)(time_cost=1, memory_cost=64))
        weak = passwords.hash(PASSWORD)
    ada = enter(app, username="ada", hashed_password=weak)
    login = "/api/v1/auth/login"
    for password, status, kept in ((OTHER, 401, True), (PASSWORD, 200, False)):
        answer = client.post(login, json={"login": "ada", "password": password})
        assert answer.status_code == status
        with app.app_context():
            user = db.session.get_one(User, ada.id)
            assert (user.hashed_password == weak, user.version) == (kept, 1)
            assert passwords.is_outdated(user.hashed_password) is kept
            fresh = user.hashed_password
    assert client.get(ME, headers=ada.headers).status_code == 200
    client.post(login, json={"login": "ada", "password": PASSWORD})
    with app.app_context():
        assert db.session.get_one(User, ada.id).hashed_password == fresh


# What follows happens at the same moment: one piece of work stands still where it verifies or
# makes a hash, and another one runs meanwhile, in a transaction of its own.


def member(app: App, **values: Any) -> int:
    """The id of a user that is really stored."""
    return int(done(app, lambda: make_user(username="ada", email="ada@example.org", **values).id))


def elsewhere(app: App, work: Callable[[], Any]) -> Any:
    """What comes of the work in another thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(done, app, work).result(10)


def session_of(id: int) -> int:
    return sessions.start(id, "tests", "127.0.0.1")[0].id


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda id: service.update(id, {"password": OTHER}, by=None),
        lambda id: service.update(id, {"is_active": False}, by=None),
        lambda id: credentials.change(service.get(id), PASSWORD, OTHER, session_id=1),
        lambda id: credentials.reset(begun("ada@example.org"), OTHER),
    ],
    ids=["set", "deactivated", "changed", "reset"],
)
def test_who_signs_in_with_a_password_that_is_changed_meanwhile_is_not_signed_in_after(
    own: App, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[int], Any]
) -> None:
    id = member(own)
    between(monkeypatch, passwords, "matches", lambda: elsewhere(own, lambda: meanwhile(id)))
    found = done(own, lambda: session_of(auth.authenticate("ada", PASSWORD).id))
    assert isinstance(found, Unauthorized)
    with own.app_context():
        assert count(Session, id) == 0


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda id: service.update(id, {"password": OTHER}, by=None),
        lambda id: credentials.change(service.get(id), PASSWORD, OTHER, session_id=1),
        lambda id: credentials.reset(begun("ada@example.org"), OTHER),
    ],
    ids=["set", "changed", "reset"],
)
def test_of_two_changes_with_one_current_password_one_is_made(
    own: App, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[int], Any]
) -> None:
    id = member(own)
    between(monkeypatch, passwords, "matches", lambda: elsewhere(own, lambda: meanwhile(id)))

    def change() -> None:
        credentials.change(service.get(id), PASSWORD, "a third password", session_id=1)

    refusal = done(own, change)
    assert isinstance(refusal, Refused)
    assert refusal.code == "wrong_password"
    assert matching(own, id) == {OTHER}


def test_an_outdated_hash_is_not_renewed_over_a_new_password(
    own: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(passwords, "HASHER", type(passwords.HASHER)(time_cost=1, memory_cost=64))
        weak = passwords.hash(PASSWORD)
    id = member(own, hashed_password=weak)
    new = {"password": OTHER}
    between(
        monkeypatch,
        passwords,
        "hash",
        lambda: elsewhere(own, lambda: service.update(id, new, by=None)),
    )
    done(own, lambda: auth.authenticate("ada", PASSWORD))
    assert matching(own, id) == {OTHER}


def test_there_is_no_token_for_an_address_that_changes_meanwhile(own: App) -> None:
    id, moved, go = member(own), Event(), Event()

    def move() -> None:
        service.update(id, {"email": "new@example.org"}, by=None)
        moved.set()
        go.wait(10)

    with ThreadPoolExecutor(2) as pool:
        moving = pool.submit(done, own, move)
        assert moved.wait(10)
        asking = pool.submit(done, own, lambda: credentials.begin_reset("ada@example.org"))
        with pytest.raises(TimeoutError):
            asking.result(0.2)
        go.set()
        assert moving.result(10) is None
        assert asking.result(10) is None
    assert matching(own, id) == {PASSWORD}


@pytest.mark.parametrize(
    "other",
    [
        lambda id, token: credentials.reset(token, PASSWORD),
        lambda id, token: service.update(id, {"is_active": False}, by=None),
        lambda id, token: service.update(id, {"password": PASSWORD}, by=None),
        lambda id, token: service.update(id, {"email": "new@example.org"}, by=None),
        lambda id, token: service.set_status([id], False, by=service.get(id + 1)),
        lambda id, token: service.delete(id, by=service.get(id + 1)),
    ],
    ids=["reset", "deactivate", "password", "email", "bulk", "delete"],
)
@pytest.mark.parametrize(
    ("module", "verb"), [(passwords, "hash"), (credentials, "revise")], ids=["hash", "revise"]
)
def test_who_resets_a_password_and_who_changes_the_account_do_not_wait_in_a_ring(
    own: App,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    verb: str,
    other: Callable[[int, str], Any],
) -> None:
    id = member(own)
    done(own, lambda: make_user(is_superuser=True))
    mine, theirs = (done(own, lambda: begun("ada@example.org")) for _ in "12")
    started: list[Future[Any]] = []

    with ThreadPoolExecutor(1) as pool:

        def meanwhile() -> None:
            started.append(pool.submit(done, own, lambda: other(id, theirs)))
            with suppress(TimeoutError):  # it may have to wait, as long as it is for one only
                started[0].result(0.15)

        between(monkeypatch, module, verb, meanwhile)
        answers = [done(own, lambda: credentials.reset(mine, OTHER)), started[0].result(10)]
    refusals = [answer.code for answer in answers if isinstance(answer, Refusal)]
    assert refusals in ([], ["invalid_reset_token"])


def test_who_signs_in_and_who_deletes_the_account_do_not_wait_in_a_ring(
    own: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = member(own)
    done(own, lambda: make_user(is_superuser=True))
    done(own, lambda: session_of(id))
    done(own, lambda: db.session.execute(update(Session).values(expires_at=func.now())))
    started: list[Future[Any]] = []

    with ThreadPoolExecutor(1) as pool:

        def meanwhile() -> None:
            delete = partial(done, own, lambda: service.delete(id, by=service.get(id + 1)))
            started.append(pool.submit(delete))
            with suppress(TimeoutError):
                started[0].result(0.15)

        between(monkeypatch, sessions, "save", meanwhile)
        found = done(own, lambda: session_of(auth.authenticate("ada", PASSWORD).id))
        assert started[0].result(10) is None
    assert isinstance(found, int)
    with own.app_context():
        assert count(Session, id) == 0
