"""Making an account for oneself, where that is open to anybody."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from flask.testing import FlaskClient

from config import Config
from project.http.app import App
from project.users import passwords
from tests.auth.steps import AUTH, bearer, found, pair_of, run, sign_in
from tests.users.make import PASSWORD

URL = f"{AUTH}/register"
USERS = "/api/v1/users/"
EVE = {"username": "eve", "email": "eve@example.org", "password": PASSWORD}
MEMBERS = ["id", "email", "username", "full_name", "bio", "is_active", "is_superuser"]
MEMBERS += ["version", "created_at", "updated_at"]


def register(client: FlaskClient, **values: Any) -> Any:
    return client.post(URL, json={**EVE, **values})


def accounts(app: App) -> int:
    return int(run(app, "SELECT count(*) FROM users"))


def test_an_account_is_made_and_answered_with_its_address(client: FlaskClient) -> None:
    about = {"full_name": " Eve Adams ", "bio": None}
    answer = register(client, username=" EVE ", email=" Eve@Example.ORG", **about)
    user = found(answer, 201)
    assert list(user) == MEMBERS
    assert (user["username"], user["email"]) == ("eve", "eve@example.org")
    assert (user["full_name"], user["bio"]) == ("Eve Adams", None)
    assert (user["is_active"], user["is_superuser"], user["version"]) == (True, False, 1)
    assert answer.headers["ETag"] == f'"{user["id"]}-1"'
    headers = bearer(pair_of(client, "eve"))
    again = client.get(answer.headers["Location"], headers=headers)
    assert (found(again), again.headers["ETag"]) == (user, answer.headers["ETag"])
    assert found(client.get(USERS, headers=headers), 403)


def test_the_password_is_kept_as_a_hash_and_never_answered(app: App, client: FlaskClient) -> None:
    answer = register(client)
    assert PASSWORD not in answer.text
    assert "argon2" not in answer.text
    hashed = run(app, "SELECT hashed_password FROM users WHERE username = 'eve'")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize("username", ["ada", "ADA", " Ada ", "\u00a0ada\u2003", "bob"])
@pytest.mark.usefixtures("ada")
def test_a_user_name_is_taken_in_any_case(app: App, client: FlaskClient, username: str) -> None:
    refusal = found(register(client, username=username), 400)
    name = username.strip().lower()
    assert refusal["detail"] == f"User name '{name}' is taken"
    assert (refusal["code"], "conflict" in refusal) == ("duplicate_username", False)
    assert accounts(app) == 2


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ("ada@example.org", "ADA@Example.ORG ", "ada@example.org"),
        (
            "r\u00e9n\u00e9@example.org",
            "re\u0301ne\u0301@example.org",
            "r\u00e9n\u00e9@example.org",
        ),
        ("\u00c9ve@example.org", "e\u0301ve@example.org", "\u00e9ve@example.org"),
        ("ada@b\u00fccher.example.org", "ada@xn--bcher-kva.example.org", ""),
        ("ada@b\u00fccher.example.org", "ada@BU\u0308CHER.example.org", ""),
    ],
    ids=ascii,
)
def test_an_address_is_taken_however_it_is_spelled(
    app: App, client: FlaskClient, first: str, second: str, kept: str
) -> None:
    found(register(client, username="first", email=first), 201)
    refusal = found(register(client, email=second), 400)
    assert refusal["detail"] == f"E-mail '{kept or first}' is taken"
    assert refusal["code"] == "duplicate_email"
    assert accounts(app) == 1


def test_whoever_was_refused_may_try_another_name(app: App, client: FlaskClient, ada: int) -> None:
    found(register(client, username="ada"), 400)
    found(register(client), 201)
    assert accounts(app) == 3


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        *[(name, True, "unknown") for name in ("is_superuser", "is_active", "admin", "user_id")],
        *[(name, 1, "unknown") for name in ("id", "version", "created_at", "updated_at")],
        ("hashed_password", "$argon2id$", "unknown"),
        ("username", "ab", "too_short"),
        ("username", "x" * 51, "too_long"),
        ("username", " ab ", "too_short"),
        ("username", "\u0430da", "pattern"),
        ("username", "ada@b", "pattern"),
        ("username", "a\nda", "pattern"),
        ("username", "\u0130da", "pattern"),
        ("username", "", "blank"),
        ("username", 5, "invalid"),
        ("email", "eve", "invalid_email"),
        ("email", "eve@localhost", "invalid_email"),
        ("email", "Eve <eve@example.org>", "invalid_email"),
        ("email", "=?utf-8?q?eve=40evil.org?=@example.org", "invalid_email"),
        ("email", "eve@example.org\nbcc: x@example.org", "invalid_email"),
        ("email", "eve@example.org,x@example.org", "invalid_email"),
        ("email", f"eve@{'x' * 255}.org", "too_long"),
        ("password", "x1y2z3_", "too_short"),
        ("password", "\U0001f600" * 7, "too_short"),
        ("password", "x" * 129, "too_long"),
        ("password", "\U0001f600" * 129, "too_long"),
        ("password", None, "null"),
        ("password", 12345678, "invalid"),
        ("full_name", "x" * 256, "too_long"),
        ("bio", "x" * 2001, "too_long"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_what_does_not_validate_makes_no_account(
    app: App, client: FlaskClient, field: str, value: Any, code: str
) -> None:
    answer = register(client, **{field: value})
    [error] = found(answer, 422)["errors"]
    assert (error["in"], error["field"], error["code"]) == ("body", field, code)
    assert accounts(app) == 0


def test_letters_whose_lower_case_is_longer_break_nothing(client: FlaskClient) -> None:
    """Capital I with a dot becomes two characters: an address of 212 outgrows its column."""
    for number in (1, 200):
        assert register(client, email="\u0130" * number + "@example.org").status_code in (201, 422)


def test_every_field_that_is_missing_is_named(client: FlaskClient) -> None:
    errors = found(client.post(URL, json={}), 422)["errors"]
    named = {(error["field"], error["code"]) for error in errors}
    assert named == {(name, "required") for name in EVE}


@pytest.mark.parametrize(
    "password", ["PASSWORD", "PassWord1", "12345678", "Qwertyuiop", "iLoveYou"]
)
def test_what_everybody_tries_first_is_no_password(client: FlaskClient, password: str) -> None:
    answer = register(client, password=password)
    [error] = found(answer, 422)["errors"]
    assert (error["field"], error["code"]) == ("password", "too_common")
    assert password not in answer.text


def test_no_common_password_is_spelled_so_that_it_would_never_be_found() -> None:
    """They are compared in lower case, whole, and only from eight characters on."""
    common = passwords._common()
    assert len(common) > 2500
    assert all(each == each.lower().strip() and 8 <= len(each) <= 128 for each in common)
    assert all(passwords.is_common(each.upper()) for each in common)
    assert not passwords.is_common(PASSWORD)


@pytest.mark.parametrize(
    "password",
    [
        *("        ", " leading and trailing\t", "\U0001f600" * 128, "\U0001f600" * 8, "x" * 128),
        *("e\u0301" * 8, "\u00e9" * 8, "password password", "\u202edrowssap", '"\\\\\n\r\t\x01x'),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_a_password_is_kept_to_the_character(client: FlaskClient, password: str) -> None:
    found(register(client, password=password), 201)
    found(sign_in(client, "eve", password))
    others = [password[:-1], password + " ", password.strip(), password.swapcase()]
    others += [password.replace("e\u0301", "\u00e9"), password.replace("\u00e9", "e\u0301")]
    for other in {*others} - {password, ""}:
        assert sign_in(client, "eve", other).status_code in (401, 422)


@pytest.mark.parametrize("values", [{}, {"username": "ada"}, {"email": "ada@example.org"}])
def test_where_registration_is_closed_nobody_learns_who_has_an_account(
    app: App, client: FlaskClient, ada: int, values: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "REGISTRATION", "closed")
    refusal = found(register(client, **values), 403)
    assert refusal["detail"] == "Registration is closed; ask a superuser."
    assert refusal["code"] == "registration_closed"
    assert accounts(app) == 2


def test_in_production_registration_is_closed_unless_it_is_opened() -> None:
    key = secrets.token_hex(32)
    given = {"APP_ENV": "production", "DATABASE_URL": "postgresql://x@h/d", "SECRET_KEY": key}
    assert Config.from_env(given).registration == "closed"
    assert Config.from_env({**given, "REGISTRATION": "open"}).registration == "open"
    assert Config.from_env({"SECRET_KEY": "x"}).registration == "open"


def test_a_token_that_comes_along_gives_no_rights(
    client: FlaskClient, superuser: dict[str, str]
) -> None:
    answer = client.post(URL, json={**EVE, "is_superuser": True}, headers=superuser)
    assert found(answer, 422)["errors"][0]["code"] == "unknown"
    user = found(client.post(URL, json=EVE, headers=superuser), 201)
    assert user["is_superuser"] is False
