"""Whatever is wrong with a token, the answer is 401 with a challenge and a problem document."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from project.auth import tokens
from project.db import db
from project.http.app import App
from project.users.models import User
from tests.auth.forge import ABSENT, claims_of, encoded, forge, segment
from tests.users.make import make_user

ME = "/api/v1/users/me"
KNOWN = "Sign in: send Authorization: Bearer and an access token."
DEEP = encoded(b"[" * 2500)  # fits into a request header
WIDE = encoded(b"9" * 4400)


@pytest.fixture
def ada(app: App, isolated: None) -> int:
    with app.app_context():
        user = make_user(username="ada")
        db.session.commit()
        return user.id


@pytest.fixture
def token(app: App, ada: int) -> str:
    with app.app_context():
        user = db.session.get_one(User, ada)
        return str(tokens.issue(user)["access_token"])


def refused(client: FlaskClient, header: str | None, url: str = ME) -> str:
    """The code of the refusal that this Authorization header earns."""
    headers = {} if header is None else {"Authorization": header}
    answer = client.get(url, headers=headers)
    assert answer.status_code == 401, answer.text
    assert answer.content_type == "application/problem+json"
    assert answer.json is not None
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    error = ', error="invalid_token"' if answer.json["code"] == "invalid_token" else ""
    assert answer.headers["WWW-Authenticate"] == f'Bearer realm="stockroom"{error}'
    return str(answer.json["code"])


def test_our_own_token_is_accepted(client: FlaskClient, token: str) -> None:
    assert client.get(ME, headers={"Authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_may_be_in_any_case(client: FlaskClient, token: str, scheme: str) -> None:
    assert client.get(ME, headers={"Authorization": f"{scheme} {token}"}).status_code == 200


def test_a_forged_token_with_nothing_wrong_is_accepted(client: FlaskClient, ada: int) -> None:
    header = f"Bearer {forge(claims_of(ada))}"
    assert client.get(ME, headers={"Authorization": header}).status_code == 200


@pytest.mark.parametrize("header", [None, "", " ", "Basic YTpi", "Token abc", "abc", "a.b.c"])
def test_without_a_bearer_token_the_caller_is_asked_to_sign_in(
    client: FlaskClient, header: str | None
) -> None:
    assert refused(client, header) == "unauthorized"


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Bearer a.b.c",
        "Bearer ..",
        "Bearer null",
        "Bearer é.é.é",
        f"Bearer {'A' * 7000}",
        f"Bearer {segment([])}.{segment({})}.AAAA",
        f"Bearer {segment({'alg': ['HS256'], 'typ': 'at+jwt'})}.{segment({})}.AAAA",
        f"Bearer {segment({'alg': 'HS256', 'typ': 'at+jwt', 'kid': {}})}.{segment({})}.AAAA",
        f"Bearer {encoded(bytes([255, 254]))}.{segment({})}.AAAA",
        f"Bearer {DEEP}.{segment({})}.AAAA",
        f"Bearer {segment({'alg': 'HS256', 'typ': 'at+jwt'})}.{DEEP}.AAAA",
        f"Bearer {WIDE}.{segment({})}.AAAA",
        f"Bearer {segment({'alg': 'HS256', 'typ': 'at+jwt'})}.{WIDE}.AAAA",
    ],
    ids=str.__len__,
)
def test_garbage_is_refused(client: FlaskClient, header: str) -> None:
    assert refused(client, header) in ("unauthorized", "invalid_token")


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"])
def test_every_claim_is_required(client: FlaskClient, ada: int, claim: str) -> None:
    for value in (ABSENT, None):
        token = forge(claims_of(ada, **{claim: value}))
        assert refused(client, f"Bearer {token}") == "invalid_token"


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("exp", 1),
        ("exp", -5),
        ("exp", "soon"),
        ("exp", float("inf")),
        ("nbf", 2_000_000_000),
        ("iat", 2_000_000_000),
        ("iss", "somebody"),
        ("iss", 5),
        ("aud", "somebody"),
        ("aud", 5),
        ("type", "refresh"),
        ("sub", "0"),
        ("sub", "-1"),
        ("sub", "abc"),
        ("sub", ""),
        ("sub", "1.0"),
        ("sub", "\u0661"),
        ("sub", "9" * 18),
        ("sub", "9" * 19),
        ("sub", "9" * 30),
        ("sub", "1\x00"),
        ("sub", "\x00"),
        ("sub", "1\n"),
        ("sub", "\ud800"),
        ("sub", 1),
        ("sub", True),
        ("sub", ["1"]),
        ("sub", {}),
    ],
)
def test_a_signed_token_with_a_wrong_claim_is_refused(
    client: FlaskClient, ada: int, claim: str, value: Any
) -> None:
    assert refused(client, f"Bearer {forge(claims_of(ada, **{claim: value}))}") == "invalid_token"


@pytest.mark.parametrize("typ", ["JWT", "jwt", "rt+jwt", None, 5, ""])
def test_the_header_must_say_that_it_is_an_access_token(
    client: FlaskClient, ada: int, typ: Any
) -> None:
    assert refused(client, f"Bearer {forge(claims_of(ada), {'typ': typ})}") == "invalid_token"


def test_no_other_key_and_no_other_algorithm_signs(client: FlaskClient, ada: int) -> None:
    claims = claims_of(ada)
    unsigned = f"{segment({'alg': 'none', 'typ': 'at+jwt'})}.{segment(claims)}."
    strangers = [
        forge(claims, key="another secret of thirty-two bytes."),
        forge(claims, {"alg": "HS512"}, digest="sha512"),
        forge(claims, {"alg": "HS384"}, digest="sha384"),
        forge(claims, {"alg": "none"}),
        forge(claims)[:-1],
        forge(claims)[:-4] + "AAAA",
        unsigned,
    ]
    for stranger in strangers:
        assert refused(client, f"Bearer {stranger}") == "invalid_token"


def test_a_token_counts_only_in_the_header(client: FlaskClient, token: str) -> None:
    for name in ("access_token", "access_token_cookie", "token", "jwt"):
        client.set_cookie(name, token)
        assert refused(client, None, f"{ME}?{name}={token}") == "unauthorized"


def test_deactivation_and_deletion_act_at_once(
    app: App, client: FlaskClient, ada: int, token: str
) -> None:
    with app.app_context():
        db.session.get_one(User, ada).is_active = False
        db.session.commit()
    assert refused(client, f"Bearer {token}") == "invalid_token"
    with app.app_context():
        db.session.delete(db.session.get_one(User, ada))
        db.session.commit()
    assert refused(client, f"Bearer {token}") == "invalid_token"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/products/"),
        ("PUT", "/api/v1/products/1"),
        ("PATCH", "/api/v1/products/1"),
        ("DELETE", "/api/v1/products/1"),
        ("POST", "/api/v1/products/1/restore"),
        ("PATCH", "/api/v1/products/1/stock?quantity=1"),
        ("GET", "/api/v1/users/me"),
    ],
)
def test_who_is_nobody_learns_nothing_else(client: FlaskClient, method: str, path: str) -> None:
    for header in ({}, {"Authorization": "Bearer a.b.c"}):
        answer = client.open(path, method=method, data="{not json", headers=header)
        assert answer.status_code == 401
        assert "WWW-Authenticate" in answer.headers
