"""Signing in: any spelling of one's own name, and no hint to anybody else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any

import jwt
import pytest
from argon2 import PasswordHasher
from flask.testing import FlaskClient
from sqlalchemy import text

from config import NAME
from project.db import db, transaction
from project.http.app import App
from project.users import passwords
from project.users import service as users
from tests.auth.discreet import told
from tests.auth.forge import encoded
from tests.auth.steps import (
    ME,
    NEW,
    alive,
    at_once,
    found,
    meanwhile,
    pair_of,
    ratios,
    run,
    sign_in,
)
from tests.conftest import SECRET
from tests.users.make import PASSWORD, make_user

URL = "/api/v1/auth/login"


@pytest.mark.parametrize(
    "login", ["ada", "ADA", " Ada\t", "ada@example.org", "Ada@Example.ORG", " ADA@EXAMPLE.ORG "]
)
def test_name_and_address_in_any_case_sign_in(client: FlaskClient, ada: int, login: str) -> None:
    answer = sign_in(client, login)
    assert answer.status_code == 200
    assert answer.json is not None
    assert list(answer.json) == ["access_token", "token_type", "expires_in", "refresh_token"]
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 900)
    me = client.get(ME, headers={"Authorization": f"Bearer {answer.json['access_token']}"})
    assert me.json is not None
    assert me.json["id"] == ada


@pytest.mark.usefixtures("ada")
def test_no_cache_keeps_a_token(client: FlaskClient) -> None:
    for password in (PASSWORD, "wrong"):
        assert sign_in(client, "ada", password).headers["Cache-Control"] == "no-store"


def test_the_token_claims_what_it_has_to(client: FlaskClient, ada: int) -> None:
    first, second = (pair_of(client)["access_token"] for _ in range(2))
    header = jwt.get_unverified_header(first)
    assert (header["alg"], header["typ"]) == ("HS256", "at+jwt")
    claims = jwt.decode(first, SECRET, ["HS256"], audience=NAME, issuer=NAME)
    assert claims.keys() >= {"iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"}
    assert claims["sub"] == str(ada)
    assert claims["exp"] - claims["iat"] == 900
    assert PASSWORD not in first
    other = jwt.decode(second, SECRET, ["HS256"], audience=NAME)
    assert claims["jti"] != other["jti"]


@pytest.mark.usefixtures("ada")
def test_unknown_wrong_and_inactive_get_the_same_bytes(client: FlaskClient) -> None:
    answers = [
        sign_in(client, login, password)
        for login, password in (
            *(("ada", "wrong"), ("nobody", PASSWORD), ("bob", PASSWORD), ("bob", "wrong")),
            *(("ada@example.com", PASSWORD), ("ad%", PASSWORD), ("' OR 1=1 --", PASSWORD)),
            *(("ada", PASSWORD + " "), ("ada", PASSWORD.upper()), ("é" * 255, "x")),
        )
    ]
    bodies = {
        json.dumps({**found(answer, 401), "request_id": "", "status": answer.status_code})
        for answer in answers
    }
    assert len(bodies) == 1
    headers = {
        tuple(item for item in answer.headers if item[0] not in ("X-Request-Id", "Content-Length"))
        for answer in answers
    }
    assert len(headers) == 1
    first = answers[0]
    assert (first.status_code, first.content_type) == (401, "application/problem+json")
    assert found(first, 401)["code"] == "wrong_credentials"
    assert first.headers["WWW-Authenticate"] == f'Bearer realm="{NAME}"'


@pytest.mark.parametrize(
    "password",
    [
        *[
            " leading and trailing ",
            "tab\tand\nnewline",
            "é" * 8,
            "e\u0301" * 8,
            "x" * 128,
            "😀" * 8,
        ],
        *[
            "😀" * 128,
            "\x01\x7f" * 4,
            "        ",
            "\u00a0" * 8,
            "\u202epassword",
            "'; DROP TABLE users --",
            "%s{}\\",
        ],
    ],
)
def test_a_password_is_its_exact_characters(app: App, client: FlaskClient, password: str) -> None:
    with app.app_context():
        make_user(username="eve", hashed_password=passwords.hash(password))
        db.session.commit()
    assert sign_in(client, "eve", password).status_code == 200
    others = [password + " ", " " + password, password[:-1], password.strip()]
    others += [password.replace("é", "e\u0301"), password.replace("e\u0301", "é")]
    for other in {other for other in others if other not in (password, "") and len(other) < 129}:
        assert sign_in(client, "eve", other).status_code == 401


@pytest.mark.parametrize(
    ("sent", "field", "code"),
    [
        ({"login": None}, "login", "null"),
        ({"login": ""}, "login", "blank"),
        ({"login": "  "}, "login", "blank"),
        ({"login": "x" * 256}, "login", "too_long"),
        ({"login": 5}, "login", "invalid"),
        ({"login": ["ada"]}, "login", "invalid"),
        ({"password": None}, "password", "null"),
        ({"password": 12345678}, "password", "invalid"),
        ({"password": "x" * 129}, "password", "too_long"),
        ({"remember": True}, "remember", "unknown"),
    ],
)
@pytest.mark.usefixtures("ada")
def test_credentials_of_another_shape_are_refused(
    client: FlaskClient, sent: dict[str, Any], field: str, code: str
) -> None:
    answer = client.post(URL, json={"login": "ada", "password": PASSWORD, **sent})
    assert answer.status_code == 422
    [error] = (answer.json or {})["errors"]
    assert (error["field"], error["code"]) == (field, code)
    assert PASSWORD not in answer.text


def test_a_pile_of_accents_in_a_login_costs_nothing(client: FlaskClient) -> None:
    began = time.perf_counter()
    assert sign_in(client, "a" + "\u0300\u0316" * 80_000).status_code == 422
    assert time.perf_counter() - began < 2


@pytest.mark.usefixtures("ada")
def test_a_broken_authorization_header_does_not_keep_one_from_signing_in(
    client: FlaskClient,
) -> None:
    body = {"login": "ada", "password": PASSWORD}
    answer = client.post(URL, json=body, headers={"Authorization": f"Bearer {encoded(b'x')}"})
    assert answer.status_code == 200


def test_signing_in_begins_a_session(app: App, client: FlaskClient, ada: int) -> None:
    found(sign_in(client))
    body = {"login": "ada", "password": PASSWORD}
    sent = {"User-Agent": "curl/8.5.0", "X-Forwarded-For": "192.0.2.99"}
    pair = found(client.post(URL, json=body, headers=sent))
    kept = run(app, "SELECT array_agg(ROW(user_id, user_agent, address)::text) FROM sessions")
    assert len(kept) == 2
    assert kept[1] == f"({ada},curl/8.5.0,127.0.0.1)"  # a proxy nobody trusts is not believed
    claims = jwt.decode(pair["access_token"], SECRET, ["HS256"], audience=NAME)
    assert int(claims["sid"]) == run(app, "SELECT max(id) FROM sessions")
    days = "SELECT expires_at = created_at + interval '30 days' FROM sessions LIMIT 1"
    assert run(app, days) is True


@pytest.mark.usefixtures("ada")
def test_whoever_is_refused_begins_no_session(app: App, client: FlaskClient) -> None:
    for login, password in (("ada", "wrong"), ("bob", PASSWORD), ("nobody", PASSWORD)):
        found(sign_in(client, login, password), 401)
    assert run(app, "SELECT count(*) FROM sessions") == 0


def weaken(app: App, password: str = PASSWORD) -> str:
    """Give Ada and Bob hashes as they were made in weaker times."""
    weak = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(password)
    run(app, "UPDATE users SET hashed_password = :weak", weak=weak)
    return weak


def row(app: App, name: str = "ada") -> str:
    """All that is kept of somebody but the hash."""
    found = "SELECT to_jsonb(u) - 'hashed_password' FROM users u WHERE username = :name"
    return str(run(app, found, name=name))


def hash_of(app: App, name: str = "ada") -> str:
    found = "SELECT hashed_password FROM users WHERE username = :name"
    return str(run(app, found, name=name))


def test_a_hash_of_weaker_make_is_replaced_and_nobody_notices(
    app: App, client: FlaskClient, ada: int
) -> None:
    pair, before = pair_of(client), row(app)
    weaken(app)
    found(sign_in(client))
    strong = hash_of(app)
    assert strong.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert row(app) == before  # version and updated_at too
    assert alive(client, pair)
    found(sign_in(client))
    assert hash_of(app) == strong  # once is enough
    found(sign_in(client, password="wrong"), 401)


@pytest.mark.usefixtures("ada")
def test_whoever_is_refused_has_no_hash_replaced(app: App, client: FlaskClient) -> None:
    weak = weaken(app)
    for login, password in (("ada", "wrong"), ("bob", PASSWORD), ("bob", "wrong")):
        found(sign_in(client, login, password), 401)
    assert {hash_of(app), hash_of(app, "bob")} == {weak}


@pytest.mark.parametrize("hashed", ["", "x", "$2b$12$abc", "$argon2id$", "!"])
@pytest.mark.usefixtures("ada")
def test_a_hash_that_is_none_lets_nobody_in(app: App, client: FlaskClient, hashed: str) -> None:
    run(app, "UPDATE users SET hashed_password = :hashed", hashed=hashed)
    for password in (PASSWORD, hashed, "x", "nobody has this password"):
        assert sign_in(client, password=password).status_code in (401, 422)


def deleted(id: int) -> None:
    db.session.execute(text(f"DELETE FROM users WHERE id = {id}"))


def deactivated(id: int) -> None:
    users.update(id, {"is_active": False}, by=None)


def changed(id: int) -> None:
    users.update(id, {"password": NEW}, by=None)


@pytest.mark.parametrize("happens", [deleted, deactivated, changed])
def test_what_happens_while_the_password_is_compared_counts(
    app: App,
    client: FlaskClient,
    ada: int,
    monkeypatch: pytest.MonkeyPatch,
    happens: Callable[[int], None],
) -> None:
    """Else a session would outlive what ends them all: it begins just after."""

    def happen() -> None:
        with app.app_context(), transaction():
            happens(ada)

    meanwhile(monkeypatch, happen)
    assert found(sign_in(client), 401)["code"] == "wrong_credentials"
    assert run(app, "SELECT count(*) FROM sessions") == 0


def unprepared() -> None:
    """Let the process forget what it keeps of passwords."""
    for kept in vars(passwords).values():
        if hasattr(kept, "cache_clear"):
            kept.cache_clear()


def test_a_process_hashes_two_passwords_at_a_time_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in its first moments, when nothing is prepared yet."""
    lock, busy, seen = Lock(), 0, []

    class Counting:
        """Takes a while, and knows how many others do too."""

        def __getattr__(self, name: str) -> Any:
            def work(*given: str) -> str:
                nonlocal busy
                with lock:
                    busy += 1
                    seen.append(busy)
                time.sleep(0.01)
                with lock:
                    busy -= 1
                return "hashed"

            return work

    monkeypatch.setattr(passwords, "HASHER", Counting())
    unprepared()
    calls: list[Callable[[], object]] = [
        partial(passwords.matches, None, "x"),
        partial(passwords.matches, "hashed", "x"),
        partial(passwords.hash, "x"),
    ]
    at_once(*calls * 4)
    unprepared()
    assert len(seen) >= 12
    assert max(seen) == 2


@pytest.mark.usefixtures("ada")
def test_time_tells_nothing(client: FlaskClient, capsys: pytest.CaptureFixture[str]) -> None:
    """A dummy hash left out is 0.1."""
    calls = {
        login: partial(sign_in, client, login, "wrong password")
        for login in ("ada", "nobody", "bob")
    }
    for _ in range(10):  # a machine may be busy; a hash left out is never near
        found = ratios(calls, 21)
        if all(0.9 < ratio < 1.1 for ratio in found):
            break
    logged = capsys.readouterr()
    assert told(logged.err) == []
    with capsys.disabled():
        print(f" [login {logged.out.splitlines()[-1]}] ", end="")
    assert found == [pytest.approx(1, abs=0.1)] * 2
