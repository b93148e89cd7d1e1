"""Every bad token at every guarded address: always 401, always the same words."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import delete
from werkzeug.test import TestResponse

from config import NAME
from project.auth.tokens import key_id
from project.db import db
from project.http.security import ALWAYS
from project.sessions.models import Session
from project.users.models import User
from tests.auth.forge import ABSENT, HEADER, claims_of, encoded, forge, segment
from tests.auth.test_tokens import BODY
from tests.conftest import SECRET
from tests.house.world import Call, World, guarded
from tests.server import Server
from tests.users.make import PASSWORD

ASKED = f'Bearer realm="{NAME}"'
INVALID = f'{ASKED}, error="invalid_token"'
STRANGER = "another secret of thirty-two bytes."
PUBLIC_KEY = (
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEY8xS3Z5vK2nDkUjg5Bb7pE4oXb7z\n"
    "-----END PUBLIC KEY-----\n"
)
JWK = {"kty": "oct", "k": encoded(STRANGER.encode()), "alg": "HS256", "kid": "mine"}
FAR = 4_000_000_000

WRONG_CLAIMS: dict[str, list[Any]] = {
    "iss": [ABSENT, None, "somebody", NAME.title(), f"{NAME} ", "", 5, [NAME], {}],
    "aud": [ABSENT, None, "somebody", NAME[:-1], "", 5, [], ["somebody"], {NAME: 1}],
    "sub": [
        *(ABSENT, None, "", "0", "-1", "+1", "1.0", "1e0", " 1", "1\n", "1_0", "\u0661", "\x00"),
        *("admin", "superuser", "9" * 19, 1, True, ["1"], {}),
    ],
    "sid": [ABSENT, None, "", "0", "-1", "x", "1\x00", "9" * 18, "9" * 40, 1, True, ["1"], {}],
    "jti": [ABSENT, None, 5, [], {}, True],
    "iat": [ABSENT, None, FAR, "soon", [], {}],
    "nbf": [ABSENT, None, FAR, "soon", [], float("inf")],
    "exp": [ABSENT, None, 0, 1, -1, True, "soon", [], {}, [FAR], float("inf"), float("nan")],
    "type": ["refresh"],
}
WRONG_HEADERS: dict[str, list[Any]] = {
    "alg": [
        *(ABSENT, None, "none", "None", "NONE", "nOnE", "", 5, [], {}, ["HS256"]),
        *("hs256", "HS256 ", "RS256", "PS256", "ES256", "EdDSA", "dir"),
    ],
    "typ": [ABSENT, None, "", "JWT", "rt+jwt", "at+jwt ", 5, []],
    "kid": [ABSENT, None, "", "mine", "../../dev/null", "' OR 1=1 --", 5, [], {}],
    "crit": [["exp"], ["b64"], ["b64", "x"], [NAME], [], "b64", 5, {}],
    "b64": [False],
}
STRANGE_SIGNERS: dict[str, tuple[dict[str, Any], str, str]] = {  # header, key, digest
    "a stranger": ({}, STRANGER, ""),
    "nobody": ({}, "", ""),
    "our key's id": ({}, key_id(SECRET), ""),
    "our key in base64": ({}, encoded(SECRET.encode()), ""),
    "our key with a blank": ({}, f"{SECRET} ", ""),
    "HS384 with our key": ({"alg": "HS384"}, SECRET, "sha384"),
    "HS512 with our key": ({"alg": "HS512"}, SECRET, "sha512"),
    "HS256 by HS512": ({}, SECRET, "sha512"),
    "RS256 with a public key": ({"alg": "RS256"}, PUBLIC_KEY, ""),
    "HS256 with a public key": ({}, PUBLIC_KEY, ""),
    "a key it brings": ({"jwk": JWK, "kid": "mine"}, STRANGER, ""),
    "a key it brings under our name": ({"jwk": {**JWK, "kid": HEADER["kid"]}}, STRANGER, ""),
    "a key at an address": ({"jku": "http://127.0.0.1:9/keys"}, STRANGER, ""),
    "a certificate at an address": ({"x5u": "http://127.0.0.1:9/x5u"}, STRANGER, ""),
    "a certificate": ({"x5c": ["MIIB"]}, STRANGER, ""),
    "a file": ({"kid": "/dev/null"}, "", ""),
}


def forged(
    claims: dict[str, Any], header: dict[str, Any], key: str = SECRET, digest: str = ""
) -> Any:
    """A maker of such a token, which would be a superuser's."""
    return lambda world: forge(claims_of(world.session("superuser"), **claims), header, key, digest)


def changed(change: Callable[[str, str, str], str]) -> Any:
    """A maker of such a variant of a superuser's own token."""
    return lambda world: change(*world.tokens["superuser"].split("."))


def raised(part: str, **values: Any) -> str:
    """A part of a token that claims something else."""
    return segment({**json.loads(base64.urlsafe_b64decode(part + "==")), **values})


def flipped(part: str, place: int) -> str:
    return part[:place] + ("A" if part[place] != "A" else "B") + part[place:][1:]


def told(odd: Any) -> str:
    """A value in the name of a test."""
    return "absent" if odd is ABSENT else repr(odd)[:30]


def of_ended_session(world: World) -> str:
    remove(world, delete(Session).where(Session.id == world.sessions["superuser"]))
    return world.tokens["superuser"]


def of_deleted_user(world: World) -> str:
    remove(world, delete(User).where(User.id == world.users["superuser"]))
    return world.tokens["superuser"]


def remove(world: World, statement: Any) -> None:
    with world.app.app_context():
        db.session.execute(statement)
        db.session.commit()


def with_session_of(somebody: str) -> Any:
    return lambda world: forge(
        claims_of(world.session("superuser"), sid=str(world.sessions[somebody]))
    )


def expired(seconds: int) -> Any:
    """Once a token like any other."""
    then = int(time.time()) - seconds
    return forged({"iat": then - 900, "nbf": then - 900, "exp": then}, {})


BAD: dict[str, Callable[[World], str]] = {
    **{
        f"{claim} {told(odd)}": forged({claim: odd}, {})
        for claim, values in WRONG_CLAIMS.items()
        for odd in values
    },
    **{
        f"head {name} {told(odd)}": forged({}, {name: odd})
        for name, values in WRONG_HEADERS.items()
        for odd in values
    },
    "unsigned bytes": forged({}, {"crit": ["b64"], "b64": False}),
    **{
        f"signed by {name}": forged({}, header, key, digest)
        for name, (header, key, digest) in STRANGE_SIGNERS.items()
    },
    "expired a second ago": expired(1),
    "expired a year ago": expired(31_536_000),
    "valid in a minute": lambda world: forged({"nbf": int(time.time()) + 60}, {})(world),
    "of an ended session": of_ended_session,
    "of a deleted user": of_deleted_user,
    "of a deactivated user": lambda world: world.tokens["inactive"],
    "with a session of another": with_session_of("user"),
    "a refresh token": lambda world: world.refresh_tokens["superuser"],
    "a token that replaces a password": lambda world: world.reset_token,
    "a password": lambda _: PASSWORD,
    "the signing key": lambda _: SECRET,
    "without a signature": changed(lambda head, claims, _: f"{head}.{claims}."),
    "without a signature's dot": changed(lambda head, claims, _: f"{head}.{claims}"),
    "without a head": changed(lambda _, claims, mac: f".{claims}.{mac}"),
    "without claims": changed(lambda head, _, mac: f"{head}..{mac}"),
    "unsigned": changed(lambda head, claims, _: f"{raised(head, alg='none')}.{claims}."),
    "ES256 with a signature of zeros": changed(
        lambda head, claims, _: f"{raised(head, alg='ES256')}.{claims}.{encoded(bytes(64))}"
    ),
    "a signature of zeros": changed(
        lambda head, claims, _: f"{head}.{claims}.{encoded(bytes(32))}"
    ),
    "longer claims": changed(lambda head, claims, mac: f"{head}.{raised(claims, exp=FAR)}.{mac}"),
    "claims of another": changed(
        lambda head, claims, mac: f"{head}.{raised(claims, sub='1')}.{mac}"
    ),
    "another head": changed(lambda head, claims, mac: f"{raised(head, x=1)}.{claims}.{mac}"),
    "a letter of the head": changed(lambda head, claims, mac: f"{flipped(head, 9)}.{claims}.{mac}"),
    "a letter of the claims": changed(
        lambda head, claims, mac: f"{head}.{flipped(claims, 9)}.{mac}"
    ),
    "a letter of the signature": changed(
        lambda head, claims, mac: f"{head}.{claims}.{flipped(mac, 0)}"
    ),
    "truncated": changed(lambda head, claims, mac: f"{head}.{claims}.{mac[:-1]}"),
    "half": changed(lambda head, claims, mac: f"{head}.{claims}.{mac}"[:200]),
    "a letter more": changed(lambda head, claims, mac: f"{head}.{claims}.{mac}A"),
    "padded": changed(lambda head, claims, mac: f"{head}.{claims}.{mac}="),
    "padded claims": changed(lambda head, claims, mac: f"{head}.{claims}==.{mac}"),
    "a mark in the signature": changed(
        lambda head, claims, mac: f"{head}.{claims}.{mac[:9]}!{mac[9:]}"
    ),
    "a mark after the signature": changed(lambda head, claims, mac: f"{head}.{claims}.{mac}*"),
    "a comma after it": changed(lambda *parts: f"{'.'.join(parts)},"),
    "a scheme after it": changed(lambda *parts: f"{'.'.join(parts)}, Basic YTpi"),
    "a comma before it": changed(lambda *parts: f",{'.'.join(parts)}"),
    "doubled": changed(lambda *parts: f"{'.'.join(parts)}{'.'.join(parts)}"),
    "doubled with a dot": changed(lambda *parts: f"{'.'.join(parts)}.{'.'.join(parts)}"),
    "doubled with a blank": changed(lambda *parts: f"{'.'.join(parts)} {'.'.join(parts)}"),
    "two with their schemes": changed(
        lambda *parts: f"{'.'.join(parts)}, Bearer {'.'.join(parts)}"
    ),
    "in quotes": changed(lambda *parts: f'"{".".join(parts)}"'),
    "with its scheme twice": changed(lambda *parts: f"Bearer {'.'.join(parts)}"),
    "as a parameter": changed(lambda *parts: f"token={'.'.join(parts)}"),
    "in upper case": changed(lambda *parts: ".".join(parts).upper()),
    "backwards": changed(lambda *parts: ".".join(parts)[::-1]),
    "a blank in it": changed(lambda head, claims, mac: f"{head}. {claims}.{mac}"),
    "a tab in it": changed(lambda head, claims, mac: f"{head}.{claims}\t.{mac}"),
    "a hard blank before it": changed(lambda *parts: f"\xa0{'.'.join(parts)}"),
    "a hard blank after it": changed(lambda *parts: f"{'.'.join(parts)}\x85"),
    "not ASCII": changed(lambda head, claims, _: f"{head}.{claims}.é"),
    "not ASCII in the signature": changed(lambda head, claims, mac: f"{head}.{claims}.{mac}é"),
    "five parts": changed(lambda head, claims, mac: f"{head}.{claims}.{mac}.{claims}.{mac}"),
    "encrypted": lambda _: (
        f"{segment({'alg': 'dir', 'enc': 'A256GCM', 'typ': 'at+jwt'})}..AA.AA.AA"
    ),
    "JSON": changed(
        lambda head, claims, mac: json.dumps(
            {"protected": head, "payload": claims, "signature": mac}, separators=(",", ":")
        )
    ),
    "a list as head": changed(lambda _, claims, mac: f"{segment([HEADER])}.{claims}.{mac}"),
    "a list as claims": lambda _: signed([1, 2]),
    "a string as claims": lambda _: signed("sub"),
    "null as claims": lambda _: signed(None),
    "a number as claims": lambda _: signed(1),
    "no members": lambda _: signed({}),
    "percent signs": changed(lambda *parts: ".".join(parts).replace(".", "%2E")),
    "an injected header": lambda _: "x%0d%0aSet-Cookie:%20a=b",
    "markup": lambda _: "<script>alert(1)</script>",
    "SQL": lambda _: "'; DROP TABLE users; --",
    "a template": lambda _: "{{7*7}}${jndi:ldap://127.0.0.1:9/a}",
    "null": lambda _: "null",
    "undefined": lambda _: "undefined",
    "nothing": lambda _: "",
    "dots": lambda _: "..",
    "many dots": lambda _: "." * 3000,
    "8 KB": lambda _: "A" * 8192,
    "8 KB of claims": forged({"x": "A" * 6000}, {}),
    "60 KB": lambda _: f"{segment(HEADER)}.{'A' * 60_000}.AAAA",
    "60 KB, rightly signed": forged({"x": "A" * 45_000}, {}),
}
JSON_BODY = "application/json"
CALLS: list[Call] = [  # whatever is called, and with whatever, is not looked at
    {},
    {"json": None, "data": b"{", "content_type": JSON_BODY},
    {"json": None, "data": b"\xff\x00", "content_type": JSON_BODY},
    {"json": None, "data": b"NaN", "content_type": JSON_BODY},
    {"json": None, "data": b"[" * 5000, "content_type": JSON_BODY},
    {"json": None, "data": b"a=b", "content_type": "application/x-www-form-urlencoded"},
    {"json": None, "data": b"", "content_type": JSON_BODY},
    {"json": []},
    {"json": {"colour": "red"}},
    {"json": None, "query_string": {"colour": "red", "limit": "-1", "skip": "x"}},
    {"json": None, "query_string": "q=%ff&q=%00"},
    {"id": 0},
    {"id": 10**30},
    {"id": 2**63},
]


def signed(claims: Any) -> str:
    """Claims that are no object, in our own hand."""
    head, payload = segment(HEADER), segment(claims)
    mac = hmac.digest(SECRET.encode(), f"{head}.{payload}".encode(), hashlib.sha256)
    return f"{head}.{payload}.{encoded(mac)}"


def calls(world: World, turn: int) -> Iterator[tuple[str, Call]]:
    """Every guarded operation, each time with another of CALLS."""
    for number, operation in enumerate(guarded(world.operations), turn):
        change = dict(CALLS[number % len(CALLS)])
        if (id := change.pop("id", None)) is not None:
            change["path"] = re.sub(r"{\w+}", str(id), world.operations[operation]["path"])
        yield operation, change


def seen(answer: TestResponse) -> tuple[int, str, dict[str, str]]:
    return answer.status_code, answer.text, dict(answer.headers)


WORDS = {
    **ALWAYS,
    "Cache-Control": "no-store",
    "Content-Type": "application/problem+json",
    "Content-Length": str(len(BODY)),
    "WWW-Authenticate": INVALID,
    "X-Request-Id": "r",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_refused_everywhere_in_the_same_words(world: World, name: str) -> None:
    headers = {"Authorization": f"Bearer {BAD[name](world)}", "X-Request-Id": "r"}
    before = world.state()
    refused = {
        operation: seen(world.call(operation, headers=headers, **change))
        for operation, change in calls(world, turn=list(BAD).index(name))
    }
    assert refused == dict.fromkeys(refused, (401, BODY, WORDS))
    assert world.state() == before
    assert len(refused) > 15


def test_the_check_itself_can_fail(world: World) -> None:
    assert len(BAD) >= 60
    token = forge(claims_of(world.session("superuser")))
    headers = {"Authorization": f"Bearer {token}", "X-Request-Id": "r"}
    for operation in guarded(world.operations):
        with world.forgotten():
            own = {"path": f"/api/v1/auth/sessions/{world.sessions['superuser']}"}
            change = own if operation == "delete_session" else {}
            answer = world.call(operation, headers=headers, **change)
            assert answer.status_code == world.success(operation), answer.text


@pytest.mark.parametrize(
    "header",
    [
        *("", " ", "Bearer", "bearer", "Token {0}", "JWT {0}", "{0}", "Bearer:{0}", "Bearer={0}"),
        *(
            "Bearer\t{0}",
            "Bearer\xa0{0}",
            "BearerX {0}",
            "Bear er {0}",
            '"Bearer" {0}',
            "Basic {0}",
        ),
        *(", Bearer {0}", "Basic YTpi, Bearer {0}", "Digest username=a, Bearer {0}"),
    ],
)
def test_what_is_no_bearer_token_is_none(world: World, header: str) -> None:
    sent = header.format(world.tokens["superuser"])
    headers = {"Authorization": sent, "X-Request-Id": "r"}
    for operation, change in calls(world, turn=0):
        status, body, answered = seen(world.call(operation, headers=headers, **change))
        assert (status, body) == (401, BODY), operation
        assert answered.pop("WWW-Authenticate") in (ASKED, INVALID)
        assert answered.items() <= WORDS.items()


def basic(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"x:{password}".encode()).decode()}


ELSEWHERE: dict[str, Callable[[str], Call]] = {
    "in the query": lambda token: {
        "query_string": {"access_token": token, "token": token, "jwt": token}
    },
    "in cookies": lambda token: {
        "headers": {"Cookie": f"access_token_cookie={token}; access_token={token}; jwt={token}"}
    },
    "in another header": lambda token: {
        "headers": dict.fromkeys(("X-Access-Token", "X-Auth-Token", "Token", "X-Jwt"), token)
    },
    "for a proxy": lambda token: {"headers": {"Proxy-Authorization": f"Bearer {token}"}},
    "as a password": lambda token: {"headers": basic(token)},
    "in the body": lambda token: {"json": {"access_token": token, "token": token}},
    "in a form": lambda token: {"json": None, "data": {"access_token": token}},
}


@pytest.mark.parametrize("place", ELSEWHERE)
def test_a_good_token_anywhere_else_is_none(world: World, place: str) -> None:
    change = ELSEWHERE[place](world.tokens["superuser"])
    change["headers"] = {**change.get("headers", {}), "X-Request-Id": "r"}
    for operation in guarded(world.operations):
        answer = world.call(
            operation, path=world.path(operation, HIDDEN.get(operation, "")), **change
        )
        if world.operations[operation]["security"] == [{"bearer": []}]:
            assert (answer.status_code, answer.text) == (401, BODY), operation
            assert answer.headers["WWW-Authenticate"] == ASKED
        else:
            assert answer.status_code in (200, 401, 404, 422), operation
            assert '"is_published":false' not in answer.text


HIDDEN: dict[str, str] = {  # what is about a kind of thing that only its owner sees
    "get_post": "draft",
    "put_post": "draft",
    "patch_post": "draft",
    "delete_post": "draft",
    "publish_post": "draft",
    "unpublish_post": "draft",
}


@pytest.fixture(scope="module")
def bearer(server: Server) -> str:
    """A header that the server accepts."""
    return server.sign_in()["Authorization"]


ON_THE_WIRE: dict[str, tuple[int, list[str]]] = {  # the status that these header lines earn
    "8 KB": (401, ["Authorization: Bearer " + "A" * 8000]),
    "100 KB": (401, ["Authorization: Bearer " + "A" * 100_000]),
    "200 KB": (431, ["Authorization: Bearer " + "A" * 200_000]),
    "a good token and a bad one": (401, ["Authorization: {0}", "Authorization: Bearer x"]),
    "a bad token and a good one": (401, ["Authorization: Bearer x", "Authorization: {0}"]),
    "a good token twice": (401, ["Authorization: {0}", "Authorization: {0}"]),
    "a good token and a password": (401, ["Authorization: {0}", "Authorization: Basic YTpi"]),
    "a password and a good token": (401, ["Authorization: Basic YTpi", "Authorization: {0}"]),
    "a tab before it": (401, ["Authorization: Bearer\t{1}"]),
    "an underscore": (401, ["HTTP_AUTHORIZATION: {0}", "_Authorization: {0}"]),
    "letters that are not ASCII": (401, ["Authorization: Bearer é.ü.ß"]),
    "nothing": (401, ["Authorization:"]),
    "a good token after the head": (401, ["", "Authorization: {0}"]),
    "a folded line": (400, ["Authorization: Bearer", " {1}"]),
    "a blank before the colon": (400, ["Authorization : {0}"]),
    "a blank before the name": (400, ["X: y", " Authorization: {0}"]),
    "a name that holds it": (400, ["{0}: x"]),
    "a line without a colon": (400, ["{0}"]),
    "a carriage return in it": (400, ["Authorization: Bearer x\rAuthorization: {0}"]),
    "a NUL in it": (400, ["Authorization: Bearer \x00{1}"]),
    "a NUL after it": (400, ["Authorization: {0}\x00"]),
    "a letter nobody can print": (400, ["Authorization: Bearer \x01.\x02.\x7f"]),
}


@pytest.mark.parametrize("name", ON_THE_WIRE)
def test_on_the_wire_a_bad_token_is_refused_too(server: Server, bearer: str, name: str) -> None:
    """Those earning another status than 401 are refused by gunicorn, which asks nobody."""
    status, lines = ON_THE_WIRE[name]
    token, logged = bearer.split()[1], server.log.stat().st_size
    sent = [line.replace("{0}", bearer).replace("{1}", token) for line in lines]
    for path in ("/api/v1/users/me", "/api/v1/users/"):
        answered, head, body = wire(server, path, sent)
        assert answered == status, head
        if status == 401:
            assert body == BODY
            assert f"WWW-Authenticate: {ASKED}" in head
            assert "Content-Type: application/problem+json" in head
    assert token not in server.log.read_bytes()[logged:].decode()


def test_on_the_wire_the_good_token_is_good(server: Server, bearer: str) -> None:
    assert wire(server, "/api/v1/users/", [f"Authorization: {bearer}"])[0] == 200


def wire(server: Server, path: str, lines: list[str]) -> tuple[int, str, str]:
    """Status, head and body of an answer to exactly these bytes."""
    head = [f"GET {path} HTTP/1.1", "Host: x", "X-Request-Id: r", "Connection: close", *lines]
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode("latin-1"))
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    first, _, body = answer.decode().partition("\r\n\r\n")
    return int(first.split()[1]), first, body
