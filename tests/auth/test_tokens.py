"""Whatever is wrong with a token, the answer is 401 with a challenge and a problem document."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from config import NAME
from project.auth import tokens
from project.db import db
from project.http.app import App
from project.sessions.models import Session
from project.users.models import User
from tests.auth.forge import ABSENT, HEADER, claims_of, encoded, forge, segment
from tests.conftest import SECRET
from tests.sessions.make import begin
from tests.users.make import make_user

ME = "/api/v1/users/me"
BODY = (
    '{"type":"/problems/unauthorized","title":"Unauthorized","status":401,'
    '"detail":"Sign in: send Authorization: Bearer and an access token that is still valid.",'
    '"code":"unauthorized","request_id":"r"}\n'
)
INVALID = 'error="invalid_token"'
DEEP = encoded(b"[" * 2500)  # fits into a request header
WIDE = encoded(b"9" * 4400)


@pytest.fixture
def pair(app: App, isolated: None) -> dict[str, Any]:
    """Tokens of Ada's, who is signed in."""
    with app.app_context():
        made = tokens.issue(*begin(make_user(username="ada")))
        db.session.commit()
    return made


@pytest.fixture
def token(pair: dict[str, Any]) -> str:
    return str(pair["access_token"])


@pytest.fixture
def session(app: App, pair: dict[str, Any]) -> Session:
    with app.app_context():
        return db.session.scalars(select(Session)).one()


def refused(client: FlaskClient, header: str | None, url: str = ME) -> str:
    """The error in the challenge that this Authorization header earns; the body is always one."""
    headers = {} if header is None else {"Authorization": header}
    answer = client.get(url, headers={**headers, "X-Request-Id": "r"})
    assert answer.status_code == 401, answer.text
    assert answer.content_type == "application/problem+json"
    assert answer.text == BODY
    realm, _, error = answer.headers["WWW-Authenticate"].partition(", ")
    assert realm == f'Bearer realm="{NAME}"'
    return error


def test_our_own_token_is_accepted(client: FlaskClient, token: str) -> None:
    assert client.get(ME, headers={"Authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_may_be_in_any_case(client: FlaskClient, token: str, scheme: str) -> None:
    assert client.get(ME, headers={"Authorization": f"{scheme} {token}"}).status_code == 200


def test_a_forged_token_with_nothing_wrong_is_accepted(
    client: FlaskClient, session: Session
) -> None:
    header = f"Bearer {forge(claims_of(session))}"
    assert client.get(ME, headers={"Authorization": header}).status_code == 200


@pytest.mark.parametrize("header", [None, "", " ", "Basic YTpi", "Token abc", "abc", "a.b.c"])
def test_without_a_bearer_token_the_caller_is_asked_to_sign_in(
    client: FlaskClient, header: str | None
) -> None:
    assert refused(client, header) == ""


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
        f"Bearer {segment(HEADER)}.{DEEP}.AAAA",
        f"Bearer {WIDE}.{segment({})}.AAAA",
        f"Bearer {segment(HEADER)}.{WIDE}.AAAA",
    ],
    ids=str.__len__,
)
def test_garbage_is_refused(client: FlaskClient, header: str) -> None:
    assert refused(client, header) in ("", INVALID)


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"])
def test_every_claim_is_required(client: FlaskClient, session: Session, claim: str) -> None:
    for value in (ABSENT, None):
        token = forge(claims_of(session, **{claim: value}))
        assert refused(client, f"Bearer {token}") == INVALID


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
        ("sid", "0"),
        ("sid", "s"),
        ("sid", ""),
        ("sid", "9" * 18),
        ("sid", "9" * 30),
        ("sid", "1\x00"),
        ("sid", 1),
        ("sid", ["1"]),
        ("sid", {}),
    ],
)
def test_a_signed_token_with_a_wrong_claim_is_refused(
    client: FlaskClient, session: Session, claim: str, value: Any
) -> None:
    assert refused(client, f"Bearer {forge(claims_of(session, **{claim: value}))}") == INVALID


@pytest.mark.parametrize(
    "kid",
    [
        *(ABSENT, None, "", "0", "../../etc/passwd", "/dev/null", "http://127.0.0.1:9/key", "\x00"),
        *("' OR 1=1 --", "a" * 3000, 5, True, [], {}, ["a"]),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_key_that_is_not_ours_is_refused_and_looked_for_nowhere(
    client: FlaskClient, session: Session, kid: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = forge(claims_of(session), {"kid": kid})

    def touched(*_: Any) -> None:
        raise AssertionError("a file or the network")

    monkeypatch.setattr("builtins.open", touched)
    monkeypatch.setattr("socket.socket.connect", touched)
    assert refused(client, f"Bearer {token}") == INVALID


def test_tokens_for_another_purpose_are_refused(client: FlaskClient, pair: dict[str, Any]) -> None:
    assert refused(client, f"Bearer {pair['refresh_token']}") == INVALID


def test_a_key_is_changed_without_signing_anybody_out(
    app: App, client: FlaskClient, pair: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    new = "another secret of thirty-two bytes."
    old = {"Authorization": f"Bearer {pair['access_token']}"}
    with_both(app, monkeypatch, new, SECRET)
    assert client.get(ME, headers=old).status_code == 200
    answer = client.post("/api/v1/auth/refresh", json={"refresh_token": pair["refresh_token"]})
    assert answer.json is not None
    signed = answer.json["access_token"]
    assert jwt.get_unverified_header(signed)["kid"] == tokens.key_id(new)
    with_both(app, monkeypatch, new)
    assert client.get(ME, headers={"Authorization": f"Bearer {signed}"}).status_code == 200
    assert refused(client, old["Authorization"]) == INVALID


def with_both(app: App, monkeypatch: pytest.MonkeyPatch, key: str, *fallbacks: str) -> None:
    """The application as if it had been started with these keys."""
    monkeypatch.setitem(app.config, "SECRET_KEY", key)
    keys = {tokens.key_id(each): each for each in (key, *fallbacks)}
    monkeypatch.setitem(app.extensions, "signing_keys", keys)
    monkeypatch.setitem(app.extensions, "holders", {})  # of tokens seen before the start


@pytest.mark.parametrize("typ", ["JWT", "jwt", "rt+jwt", None, 5, ""])
def test_the_header_must_say_that_it_is_an_access_token(
    client: FlaskClient, session: Session, typ: Any
) -> None:
    assert refused(client, f"Bearer {forge(claims_of(session), {'typ': typ})}") == INVALID


def test_no_other_key_and_no_other_algorithm_signs(client: FlaskClient, session: Session) -> None:
    claims = claims_of(session)
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
        assert refused(client, f"Bearer {stranger}") == INVALID


def test_a_token_counts_only_in_the_header(client: FlaskClient, token: str) -> None:
    for name in ("access_token", "access_token_cookie", "token", "jwt"):
        client.set_cookie(name, token)
        assert refused(client, None, f"{ME}?{name}={token}") == ""


def test_deactivation_and_deletion_act_at_once(
    app: App, client: FlaskClient, session: Session, token: str
) -> None:
    with app.app_context():
        db.session.get_one(User, session.user_id).is_active = False
        db.session.commit()
    assert refused(client, f"Bearer {token}") == INVALID
    with app.app_context():
        db.session.delete(db.session.get_one(User, session.user_id))
        db.session.commit()
    assert refused(client, f"Bearer {token}") == INVALID
