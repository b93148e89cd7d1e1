"""Signing in: any spelling of one's own name, and no hint to anybody else."""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

import jwt
import pytest
from flask.testing import FlaskClient

from project.db import db
from project.http.app import App
from project.users import passwords
from tests.auth.forge import encoded
from tests.conftest import SECRET
from tests.users.make import PASSWORD, make_user

URL = "/api/v1/auth/login"
ME = "/api/v1/users/me"


@pytest.fixture
def ada(app: App, isolated: None) -> int:
    with app.app_context():
        id = make_user(username="ada", email="ada@example.org").id
        make_user(username="bob", email="bob@example.org", is_active=False)
        db.session.commit()
    return id


def sign_in(client: FlaskClient, login: Any, password: Any = PASSWORD, **others: Any) -> Any:
    return client.post(URL, json={"login": login, "password": password, **others})


@pytest.mark.parametrize(
    "login", ["ada", "ADA", " Ada\t", "ada@example.org", "Ada@Example.ORG", " ADA@EXAMPLE.ORG "]
)
def test_name_and_address_in_any_case_sign_in(client: FlaskClient, ada: int, login: str) -> None:
    answer = sign_in(client, login)
    assert answer.status_code == 200
    assert list(answer.json)[:3] == ["access_token", "token_type", "expires_in"]
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 900)
    me = client.get(ME, headers={"Authorization": f"Bearer {answer.json['access_token']}"})
    assert me.json is not None
    assert me.json["id"] == ada


def test_the_token_claims_what_it_has_to(client: FlaskClient, ada: int) -> None:
    first, second = (sign_in(client, "ada").json["access_token"] for _ in range(2))
    header = jwt.get_unverified_header(first)
    assert (header["alg"], header["typ"]) == ("HS256", "at+jwt")
    claims = jwt.decode(first, SECRET, ["HS256"], audience="stockroom", issuer="stockroom")
    assert claims.keys() >= {"iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"}
    assert claims["sub"] == str(ada)
    assert claims["exp"] - claims["iat"] == 900
    assert PASSWORD not in first
    other = jwt.decode(second, SECRET, ["HS256"], audience="stockroom")
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
        json.dumps({**answer.json, "request_id": "", "status": answer.status_code})
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
    assert first.json["code"] == "wrong_credentials"
    assert first.headers["WWW-Authenticate"] == 'Bearer realm="stockroom"'


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
        *["        ", "\u00a0" * 8, "\u202epassword", "'; DROP TABLE users --", "%s{}\\"],
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


@pytest.mark.usefixtures("ada")
def test_time_tells_nothing(client: FlaskClient, capsys: pytest.CaptureFixture[str]) -> None:
    """Interleaved, so that a busy machine slows all three alike; a dummy hash left out is 0.1."""
    taken: dict[str, list[float]] = {"ada": [], "nobody": [], "bob": []}
    for round in range(16):
        for login, times in taken.items():
            began = time.perf_counter()
            assert sign_in(client, login, "wrong password").status_code == 401
            if round:  # the first one makes the dummy hash
                times.append(time.perf_counter() - began)
    known, unknown, inactive = (statistics.median(times) for times in taken.values())
    print(f"unknown/known {unknown / known:.2f}, inactive/known {inactive / known:.2f}")
    assert 0.4 < unknown / known < 2.5
    assert 0.4 < inactive / known < 2.5
