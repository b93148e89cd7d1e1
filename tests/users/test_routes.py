"""Accounts over HTTP: one's own, and everybody's for superusers; never a password."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from project.auth import tokens
from project.db import db
from project.http.app import App
from project.posts.models import Post
from project.sessions.models import RefreshToken, Session
from project.users.models import PasswordReset, User
from tests.answers import problem
from tests.posts.make import make_post
from tests.sessions.make import begin
from tests.users.conftest import Member, enter
from tests.users.make import HASHED, PASSWORD, begun, make_user

URL = "/api/v1/users/"
ME = f"{URL}me"
LOGIN = "/api/v1/auth/login"
REFRESH = "/api/v1/auth/refresh"
MEMBERS = ["id", "email", "username", "full_name", "bio", "is_active", "is_superuser"]
MEMBERS += ["version", "created_at", "updated_at"]
NEW = {"username": "eve", "email": "eve@example.org", "password": "battery staple horse"}
OTHER = "battery staple horse"


@pytest.fixture
def ada(app: App, isolated: None) -> Member:
    """An ordinary user with every field set."""
    full = {"full_name": "Ada Lovelace", "bio": "Writes programs."}
    return enter(app, username="ada", email="ada@exämple.org", **full)


@pytest.fixture
def people(app: App, root: Member) -> None:
    """Ada, Bob, Carl and the inactive Dora, after the superuser Root."""
    with app.app_context():
        make_user(username="ada", email="ada@example.org", full_name="Ada Lovelace")
        make_user(username="bob_1", email="robert@percent.org", full_name="100% Bob")
        make_user(username="carl", email="carl@example.net")
        dora = {"username": "dora", "email": "d@exämple.org", "full_name": "DÖRA \\ Ada"}
        make_user(**dora, is_active=False)
        db.session.commit()


def found(answer: TestResponse, status: int = 200) -> dict[str, Any]:
    """The document answered, in which no password is, hashed or not."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/json"
    for secret in ("password", HASHED, "argon2", PASSWORD, OTHER):
        assert secret not in answer.text
    return dict(answer.json or {})


def field(answer: TestResponse, place: str = "body") -> tuple[str, str]:
    """The one field a 422 complains about, and the code of the complaint."""
    [error] = problem(answer, 422, "invalid_fields")["errors"]
    assert (error["in"], bool(error["message"])) == (place, True)
    return error["field"], error["code"]


def names(answer: TestResponse) -> list[str]:
    return [item["username"] for item in found(answer)["items"]]


def hash_of(app: App, id: int) -> str:
    with app.app_context():
        return db.session.get_one(User, id).hashed_password


def test_one_sees_oneself_whole_but_for_the_password(client: FlaskClient, ada: Member) -> None:
    answer = client.get(ME, headers=ada.headers)
    me = found(answer)
    assert list(me) == MEMBERS
    assert answer.headers["ETag"] == f'"{ada.id}-1"'
    assert (me["id"], me["username"], me["email"]) == (ada.id, "ada", "ada@exämple.org")
    assert (me["full_name"], me["bio"]) == ("Ada Lovelace", "Writes programs.")
    assert (me["is_active"], me["is_superuser"]) == (True, False)
    again = client.get(ME, headers={**ada.headers, "If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_who_asks_for_oneself_is_told_in_one_question(
    client: FlaskClient, signed_in: dict[str, str], statements: list[str]
) -> None:
    assert client.get(ME, headers=signed_in).status_code == 200
    assert len(statements) == 1


def test_a_superuser_is_one(client: FlaskClient, superuser: dict[str, str]) -> None:
    assert found(client.get(ME, headers=superuser))["is_superuser"] is True


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_else_can_be_done_to_oneself_here(
    client: FlaskClient, signed_in: dict[str, str], method: str
) -> None:
    assert client.open(ME, method=method, headers=signed_in).status_code == 405


CALLS: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("GET", "count", None),
    ("POST", "", NEW),
    ("POST", "bulk-status", {"ids": [1], "is_active": False}),
    ("PATCH", "{id}", {"is_superuser": True}),
    ("PATCH", "{id}", {"bio": "x"}),
    ("DELETE", "{id}", None),
    ("PATCH", "99999999999999999999", {"bio": "x"}),
    ("DELETE", "0", None),
    ("POST", "", {"what": "is wrong"}),
    ("GET", "?what=is+wrong", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_all_but_ones_own_is_for_superusers(
    client: FlaskClient, ada: Member, method: str, path: str, body: Any
) -> None:
    call = {"method": method, "json": body} if body else {"method": method}
    address = URL + path.format(id=ada.id)
    before = found(client.get(ME, headers=ada.headers))
    problem(client.open(address, **call), 401, "unauthorized")
    problem(client.open(address, **call, headers=ada.headers), 403, "forbidden")
    assert found(client.get(ME, headers=ada.headers)) == before


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "dora carl bob_1 ada root"),
        ({"q": "ada"}, "dora ada"),
        ({"q": " ADA "}, "dora ada"),
        ({"q": "a L"}, "ada"),
        ({"q": "LOVELACE"}, "ada"),
        ({"q": "Robert@"}, "bob_1"),
        ({"q": "%"}, "bob_1"),
        ({"q": "_"}, "bob_1"),
        ({"q": "%_"}, ""),
        ({"q": "\\"}, "dora"),
        ({"q": "'"}, ""),
        ({"q": "example"}, "carl ada"),
        ({"q": "EXÄMPLE"}, "dora"),
        ({"q": "exa\u0308mple"}, "dora"),
        ({"q": "döra"}, "dora"),
        ({"q": "x" * 255}, ""),
        ({"is_active": "true"}, "carl bob_1 ada root"),
        ({"is_active": "false"}, "dora"),
        ({"is_active": "true", "q": "ada"}, "ada"),
        ({"is_active": "false", "q": "carl"}, ""),
        ({"sort": "username"}, "ada bob_1 carl dora root"),
        ({"sort": "-email"}, "root bob_1 dora carl ada"),
        ({"sort": "id"}, "root ada bob_1 carl dora"),
        ({"sort": "-created_at,-username"}, "root dora carl bob_1 ada"),
        ({"sort": "updated_at,username", "limit": 2, "skip": 1}, "bob_1 carl"),
        ({"skip": 5}, ""),
    ],
    ids=str,
)
def test_users_are_listed_newest_first_searched_and_sorted(
    client: FlaskClient, root: Member, query: dict[str, Any], expected: str
) -> None:
    answer = client.get(URL, query_string=query, headers=root.headers)
    assert names(answer) == expected.split()
    if not {"limit", "skip"} & query.keys():
        assert found(answer)["total"] == len(expected.split())
    for item in found(answer)["items"]:
        assert list(item) == MEMBERS


@pytest.mark.parametrize(
    "query",
    [
        *["q=", "q=%20", f"q={'x' * 256}", "q=%00", "is_active=1", "is_active=True", "is_active="],
        *["sort=full_name", "sort=hashed_password", "sort=is_superuser", "sort=bio", "sort="],
        *["limit=0", "limit=101", "skip=-1", "cursor=x", "username=ada", "email=x", "password=x"],
        *["is_superuser=true", "active_only=true", "hashed_password=x", "id=1"],
    ],
)
def test_what_a_list_does_not_know_is_refused(
    client: FlaskClient, root: Member, query: str
) -> None:
    answer = client.get(f"{URL}?{query}", headers=root.headers)
    assert field(answer, "query")[0] == query.partition("=")[0]


@pytest.mark.parametrize("query", ["", "q=member&", "is_active=true&sort=-username&"])
def test_pages_by_skip_and_by_cursor_hold_everybody_once(
    app: App, client: FlaskClient, root: Member, query: str
) -> None:
    with app.app_context():
        for number in range(7):
            make_user(full_name=f"Member {number}")
        db.session.commit()
    address = f"{URL}?{query}limit=3"
    whole = found(client.get(f"{URL}?{query}", headers=root.headers))
    by_skip, by_cursor, cursor = [], [], ""
    for skip in range(0, whole["total"], 3):
        page = found(client.get(f"{address}&skip={skip}", headers=root.headers))
        assert (page["total"], page["skip"], page["limit"]) == (whole["total"], skip, 3)
        by_skip += page["items"]
        page = found(client.get(f"{address}{cursor}", headers=root.headers))
        cursor = f"&cursor={page['next_cursor']}"
        by_cursor += page["items"]
    assert page["next_cursor"] is None
    assert by_skip == by_cursor == whole["items"]


def test_a_list_costs_the_same_however_many_there_are(
    app: App, client: FlaskClient, root: Member, statements: list[str]
) -> None:
    client.get(f"{URL}?limit=1", headers=root.headers)
    client.get(f"{URL}?limit=1&q=root", headers=root.headers)
    assert len(statements) == 4  # who asks, and a page that tells its total
    with app.app_context():
        for _ in range(20):
            make_user()
        db.session.commit()
    statements.clear()
    assert len(names(client.get(f"{URL}?limit=20", headers=root.headers))) == 20
    assert len(statements) == 3  # and the total that a page in the middle cannot tell


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("query", "count"), [("", 5), ("?is_active=true", 4), ("?is_active=false", 1)]
)
def test_users_are_counted_in_one_question(
    client: FlaskClient, root: Member, statements: list[str], query: str, count: int
) -> None:
    assert found(client.get(f"{URL}count{query}", headers=root.headers)) == {"count": count}
    assert len(statements) == 2  # with the one who asks


@pytest.mark.parametrize("query", ["is_active=1", "is_active=null", "q=ada", "limit=1"])
def test_a_wrong_question_is_not_counted(client: FlaskClient, root: Member, query: str) -> None:
    answer = client.get(f"{URL}count?{query}", headers=root.headers)
    assert field(answer, "query")[0] == query.partition("=")[0]


def test_a_created_account_is_answered_whole_and_signs_in(
    client: FlaskClient, root: Member
) -> None:
    sent = {**NEW, "username": " EVE ", "email": " Eve@Example.ORG "}
    answer = client.post(URL, json=sent, headers=root.headers)
    user = found(answer, 201)
    assert list(user) == MEMBERS
    assert user == {
        "id": user["id"],
        "email": "eve@example.org",
        "username": "eve",
        "full_name": None,
        "bio": None,
        "is_active": True,
        "is_superuser": False,
        "version": 1,
        **{name: user[name] for name in ("created_at", "updated_at")},
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", user["created_at"])
    assert answer.headers["Location"] == f"{URL}{user['id']}"
    assert answer.headers["ETag"] == f'"{user["id"]}-1"'
    assert found(client.get(answer.headers["Location"], headers=root.headers)) == user
    credentials = {"login": "eve", "password": NEW["password"]}
    assert client.post(LOGIN, json=credentials).status_code == 200


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("super_", [True, False])
def test_a_superuser_says_who_is_active_and_who_is_a_superuser(
    client: FlaskClient, root: Member, active: bool, super_: bool
) -> None:
    flags = {"is_active": active, "is_superuser": super_}
    user = found(client.post(URL, json={**NEW, **flags}, headers=root.headers), 201)
    assert {name: user[name] for name in flags} == flags
    signed = client.post(LOGIN, json={"login": "eve", "password": NEW["password"]})
    assert signed.status_code == (200 if active else 401)


TAKEN = [
    ("username", "ada", "User name 'ada' is taken"),
    ("username", " ADA\n", "User name 'ada' is taken"),
    ("email", "ada@exämple.org", "E-mail 'ada@exämple.org' is taken"),
    ("email", "ADA@EXÄMPLE.ORG", "E-mail 'ada@exämple.org' is taken"),
    ("email", " ada@exa\u0308mple.org ", "E-mail 'ada@exämple.org' is taken"),
    ("email", "ada@xn--exmple-cua.org", "E-mail 'ada@exämple.org' is taken"),
    ("email", "ada@exämple。org", "E-mail 'ada@exämple.org' is taken"),
]


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize(("name", "value", "sentence"), TAKEN, ids=ascii)
def test_what_is_taken_is_taken_everywhere(
    app: App, client: FlaskClient, root: Member, name: str, value: str, sentence: str
) -> None:
    bob = enter(app, username="bob")
    for answer in (
        client.post(URL, json={**NEW, name: value}, headers=root.headers),
        client.patch(f"{URL}{bob.id}", json={name: value}, headers=root.headers),
        client.patch(ME, json={name: value}, headers=bob.headers),
    ):
        assert problem(answer, 400, f"duplicate_{name}")["detail"] == sentence
    assert found(client.get(ME, headers=bob.headers))["version"] == 1


@pytest.mark.parametrize(("name", "value"), [row[:2] for row in TAKEN], ids=ascii)
def test_ones_own_name_in_another_spelling_is_not_taken(
    client: FlaskClient, root: Member, ada: Member, name: str, value: str
) -> None:
    before = found(client.get(ME, headers=ada.headers))
    for version, (address, who) in enumerate(((f"{URL}{ada.id}", root), (ME, ada)), 2):
        after = found(client.patch(address, json={name: value}, headers=who.headers))
        assert (after[name], after["version"]) == (before[name], version)


BEYOND: list[tuple[str, Any, str]] = [
    ("username", "ab", "too_short"),
    ("username", "x" * 51, "too_long"),
    ("username", " \u3000", "blank"),
    ("username", "a.b", "pattern"),
    ("username", "a\nb", "pattern"),
    ("username", None, "null"),
    ("username", 5, "invalid"),
    ("email", "ada", "invalid_email"),
    ("email", "x" * 256, "too_long"),
    ("email", None, "null"),
    ("email", ["a@b.org"], "invalid"),
    ("full_name", "x" * 256, "too_long"),
    ("full_name", False, "invalid"),
    ("bio", "x" * 2001, "too_long"),
    ("bio", {}, "invalid"),
    ("id", 7, "unknown"),
    ("version", 7, "unknown"),
    ("hashed_password", HASHED, "unknown"),
    ("created_at", "2026-11-22T08:51:36.773621Z", "unknown"),
    ("updated_at", "2026-11-22T08:51:36.773621Z", "unknown"),
    ("sessions", [], "unknown"),
]
FOR_SUPERUSERS: list[tuple[str, Any, str]] = [
    ("password", "x" * 7, "too_short"),
    ("password", "x" * 129, "too_long"),
    ("password", "Password1", "too_common"),
    ("password", None, "null"),
    ("password", 12345678, "invalid"),
    ("is_active", None, "null"),
    ("is_active", "false", "invalid"),
    ("is_active", 0, "invalid"),
    ("is_superuser", None, "null"),
    ("is_superuser", 1, "invalid"),
]
NOT_FOR_ONESELF: list[tuple[str, Any, str]] = [
    ("is_superuser", True, "unknown"),
    ("is_superuser", False, "unknown"),
    ("is_active", True, "unknown"),
    ("is_active", False, "unknown"),
    ("password", OTHER, "unknown"),
    ("current_password", PASSWORD, "unknown"),
]


@pytest.mark.parametrize(
    ("name", "value", "code"), BEYOND + FOR_SUPERUSERS, ids=lambda value: repr(value)[:20]
)
def test_beyond_the_limits_nobody_is_made_or_changed(
    client: FlaskClient, root: Member, ada: Member, name: str, value: Any, code: str
) -> None:
    before = found(client.get(URL, headers=root.headers))
    for answer in (
        client.post(URL, json={**NEW, name: value}, headers=root.headers),
        client.patch(f"{URL}{ada.id}", json={"bio": "x", name: value}, headers=root.headers),
    ):
        assert field(answer) == (name, code)
        assert str(value) not in answer.text or name != "password"
    assert found(client.get(URL, headers=root.headers)) == before


@pytest.mark.parametrize(
    ("name", "value", "code"), BEYOND + NOT_FOR_ONESELF, ids=lambda value: repr(value)[:20]
)
def test_nobody_gives_oneself_what_others_have_to_give(
    app: App, client: FlaskClient, root: Member, ada: Member, name: str, value: Any, code: str
) -> None:
    for who in (ada, root):
        before = found(client.get(ME, headers=who.headers)), hash_of(app, who.id)
        answer = client.patch(ME, json={"bio": "x", name: value}, headers=who.headers)
        assert field(answer) == (name, code)
        assert (found(client.get(ME, headers=who.headers)), hash_of(app, who.id)) == before


def test_every_missing_field_is_named(client: FlaskClient, root: Member) -> None:
    answer = client.post(URL, json={"is_active": 1}, headers=root.headers)
    wrong = {
        error["field"]: error["code"] for error in problem(answer, 422, "invalid_fields")["errors"]
    }
    needed = dict.fromkeys(("email", "username", "password"), "required")
    assert wrong == {**needed, "is_active": "invalid"}


CHANGES: list[dict[str, Any]] = [
    {"username": "eve"},
    {"email": "eve@example.org"},
    {"full_name": None},
    {"full_name": ""},
    {"bio": None},
    {"bio": "x" * 2000},
    {"username": "eve", "email": "eve@example.org", "full_name": "Eve", "bio": None},
]


@pytest.mark.parametrize("sent", CHANGES, ids=lambda sent: str(sent)[:60])
def test_only_the_fields_sent_are_changed_by_oneself_too(
    app: App, client: FlaskClient, root: Member, ada: Member, sent: dict[str, Any]
) -> None:
    for address, who in ((f"{URL}{ada.id}", root), (ME, ada)):
        before = found(client.get(ME, headers=ada.headers))
        answer = client.patch(address, json=sent, headers=who.headers)
        after = found(answer)
        new = {"version": before["version"] + 1, "updated_at": after["updated_at"]}
        assert after == {**before, **sent, **new}
        assert answer.headers["ETag"] == f'"{ada.id}-{after["version"]}"'
        assert found(client.get(ME, headers=ada.headers)) == after
        assert hash_of(app, ada.id) == HASHED


@pytest.mark.parametrize(
    "sent", [{"is_active": False}, {"is_active": True}, {"is_superuser": True}], ids=str
)
def test_a_superuser_changes_the_flags_of_others(
    client: FlaskClient, root: Member, ada: Member, sent: dict[str, Any]
) -> None:
    before = found(client.get(f"{URL}{ada.id}", headers=root.headers))
    after = found(client.patch(f"{URL}{ada.id}", json=sent, headers=root.headers))
    assert after == {**before, **sent, "version": 2, "updated_at": after["updated_at"]}


def test_an_update_needs_a_field(client: FlaskClient, root: Member, ada: Member) -> None:
    for address, who in ((f"{URL}{ada.id}", root), (ME, ada)):
        assert field(client.patch(address, json={}, headers=who.headers)) == ("", "required")
    assert found(client.get(ME, headers=ada.headers))["version"] == 1


def test_a_change_can_be_made_to_depend_on_the_version(
    client: FlaskClient, root: Member, ada: Member
) -> None:
    other = f"{URL}{ada.id}"
    stale = ['"x"', f'"{ada.id}-2"', f'"{root.id}-1"', f'W/"{ada.id}-1"', f'"{ada.id}-01"']
    for address, who in ((other, root), (ME, ada)):
        for tag in stale:
            headers = {**who.headers, "If-Match": tag}
            for sent in ({"bio": "x"}, {"username": "root"}):
                problem(client.patch(address, json=sent, headers=headers), 412, "stale_version")
    for tag in stale:
        headers = {**root.headers, "If-Match": tag}
        taken: list[dict[str, Any]] = [{"is_active": False}, {"password": OTHER}]
        for change in taken:
            problem(client.patch(other, json=change, headers=headers), 412, "stale_version")
        problem(client.delete(other, headers=headers), 412, "stale_version")
    assert found(client.get(ME, headers=ada.headers))["version"] == 1
    for tag in (f'"{ada.id}-1"', f'"9-9", "{ada.id}-2"', "*"):
        headers = {**ada.headers, "If-Match": tag}
        assert client.patch(ME, json={"bio": "x"}, headers=headers).status_code == 200
    headers = {**root.headers, "If-Match": f'"{ada.id}-4"'}
    assert client.delete(other, headers=headers).status_code == 204


@pytest.mark.parametrize("id", ["0", "2147483648", "9223372036854775807", "9" * 20, "9" * 40])
def test_who_is_not_there_is_named(client: FlaskClient, root: Member, id: str) -> None:
    address = f"{URL}{id}"
    calls = [client.patch(address, json=sent, headers=root.headers) for sent in CHANGES]
    taking: list[dict[str, Any]] = [{"is_active": False}, {"is_superuser": False}]
    for sent in (*taking, {"password": OTHER}):
        calls.append(client.patch(address, json=sent, headers=root.headers))
    calls.append(client.delete(address, headers={**root.headers, "If-Match": '"1-1"'}))
    for answer in calls:
        assert problem(answer, 404, "not_found")["detail"] == f"User with id {id} not found"


def test_a_new_password_from_a_superuser_ends_every_session_and_signs_in(
    app: App, client: FlaskClient, root: Member, ada: Member
) -> None:
    with app.app_context():
        refresh_token = tokens.issue(*begin(db.session.get_one(User, ada.id)))["refresh_token"]
        reset = begun("ada@exämple.org")
        db.session.commit()
    answer = client.patch(f"{URL}{ada.id}", json={"password": OTHER}, headers=root.headers)
    assert found(answer)["version"] == 2
    problem(client.get(ME, headers=ada.headers), 401, "unauthorized")
    again = client.post(REFRESH, json={"refresh_token": refresh_token})
    problem(again, 401, "invalid_refresh_token")
    used = {"token": reset, "password": "yet another password"}
    answer = client.post("/api/v1/auth/password/reset", json=used)
    problem(answer, 400, "invalid_reset_token")
    for password, status in ((PASSWORD, 401), (OTHER, 200)):
        signed = client.post(LOGIN, json={"login": "ada", "password": password})
        assert signed.status_code == status
    assert client.get(ME, headers=root.headers).status_code == 200


def test_deactivation_ends_sessions_at_once_and_for_good(
    app: App, client: FlaskClient, root: Member, ada: Member
) -> None:
    address = f"{URL}{ada.id}"
    with app.app_context():
        refresh_token = tokens.issue(*begin(db.session.get_one(User, ada.id)))["refresh_token"]
        db.session.commit()
    for active in (False, True):
        flag = {"is_active": active}
        assert found(client.patch(address, json=flag, headers=root.headers))["is_active"] is active
        problem(client.get(ME, headers=ada.headers), 401, "unauthorized")
        again = client.post(REFRESH, json={"refresh_token": refresh_token})
        problem(again, 401, "invalid_refresh_token")
        signed = client.post(LOGIN, json={"login": "ada", "password": PASSWORD})
        assert signed.status_code == (200 if active else 401)


def test_rights_come_and_go_with_the_next_request(
    client: FlaskClient, root: Member, ada: Member
) -> None:
    for flag, status in ((True, 200), (False, 403)):
        change = {"is_superuser": flag}
        assert client.patch(f"{URL}{ada.id}", json=change, headers=root.headers).status_code == 200
        assert client.get(URL, headers=ada.headers).status_code == status
        assert client.get(ME, headers=ada.headers).status_code == 200


OWNED: list[type[Any]] = [Session, RefreshToken, PasswordReset, Post]


def own_more(id: int) -> None:
    """One more of each."""
    begin(db.session.get_one(User, id))
    begun("ada@exämple.org")
    make_post(author_id=id)


def test_with_an_account_goes_all_that_belongs_to_it(
    app: App, client: FlaskClient, root: Member, ada: Member
) -> None:
    def rows() -> list[int]:
        with app.app_context():
            counts = [select(func.count()).select_from(model) for model in OWNED]
            return [db.session.scalar(count) or 0 for count in counts]

    before = rows()
    with app.app_context():
        own_more(ada.id)
        db.session.commit()
    assert rows() == [count + 1 for count in before]
    answer = client.delete(f"{URL}{ada.id}", headers=root.headers)
    assert (answer.status_code, answer.data) == (204, b"")
    assert rows() == [before[0] - 1, before[1] - 1, *before[2:]]
    problem(client.get(ME, headers=ada.headers), 401, "unauthorized")
    problem(client.delete(f"{URL}{ada.id}", headers=root.headers), 404, "not_found")
    problem(client.get(f"{URL}{ada.id}", headers=root.headers), 404, "not_found")
    free = {**NEW, "username": "ada", "email": "ada@exämple.org"}
    assert found(client.post(URL, json=free, headers=root.headers), 201)["id"] != ada.id
