"""Who may call: each guard enforces and documents in one word.

Rooms above tell this one how a token finds its user: see `project/auth/tokens.py`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flask import current_app, g, request
from flask_jwt_extended import verify_jwt_in_request
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt import PyJWTError

from project import origin
from project.errors import Forbidden, OnlySuperusers, Unauthorized
from project.http.problems import InvalidToken

Guard = Callable[[], None]

REMEMBERED = 10_000  # tokens; then all of them are forgotten
LONGEST = 4096  # characters of a token; ours have some 500
TOKEN = re.compile(r" *[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+ *")  # RFC 7515 section 7.1
ODD = (ValueError, TypeError, ArithmeticError, RecursionError)  # of parts no issuer would write


class OnlySelf(Forbidden):
    """What is somebody's own."""

    sentence = "Only the user and superusers may do this."


def public() -> None:
    """Anybody."""


def optionally_signed_in() -> None:
    """Anybody; but whoever sends a token sends a valid one, else raises Unauthorized."""
    if "Authorization" in request.headers:
        signed_in()


def signed_in() -> None:
    """Any active user with a valid access token; raises Unauthorized.

    The token is judged here. User and session are asked for by whoever needs them first, which may
    be the statement that writes (see `users/acting.py`), and at the latest by the blueprint.
    """
    g.user_id, g.session_id = _holder(bearer())
    g.pop("user", None)
    origin.claim(origin.Claim(g.user_id, g.session_id, _confirm))


def _confirm() -> None:
    """Ask for the user; raises InvalidToken for one who is not there, or not active, any more."""
    user = current_app.extensions["signed_in"](g.user_id, g.session_id)
    if user is None:
        g.pop("user_id", None)
        raise InvalidToken
    g.user = user
    origin.act(user.id, user.username)


def _holder(token: str) -> tuple[int, int]:
    """The user and the session of a token; raises InvalidToken.

    A signature that was good is so until the token expires.
    """
    known: dict[str, tuple[int, int, float]] = current_app.extensions["holders"]
    if (found := known.get(token)) is None or found[2] <= time.time():
        request.environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"  # as the library spells it
        try:
            _, claims = verify_jwt_in_request() or (None, {})
            found = int(claims["sub"]), int(claims["sid"]), float(claims["exp"])
        except (JWTExtendedException, PyJWTError, *ODD):
            raise InvalidToken from None
        if len(known) >= REMEMBERED:
            known.clear()
        known[token] = found
    return found[:2]


def bearer() -> str:
    """What may be a token of ours in the Authorization header; raises Unauthorized."""
    sent: str = request.environ.get("HTTP_AUTHORIZATION", "")
    scheme, _, token = sent.partition(" ")
    if scheme.lower() != "bearer":  # in any case: RFC 9110 section 11.1
        raise Unauthorized
    if len(token) > LONGEST or not TOKEN.fullmatch(token):
        raise InvalidToken
    return token.strip()


def self_or_superuser() -> None:
    """The user whom the address names, or a superuser; raises Unauthorized or Forbidden."""
    signed_in()
    if not actor().is_superuser and actor().id != (request.view_args or {})["id"]:
        raise OnlySelf


def superuser() -> None:
    """A superuser; raises Unauthorized or Forbidden."""
    signed_in()
    if not actor().is_superuser:
        raise OnlySuperusers


def caller() -> int | None:
    """Whose request it is; on a view that anybody may call, whose good token came along."""
    if "user_id" not in g:
        with suppress(Unauthorized):
            optionally_signed_in()
            origin.confirm()
    user_id: int | None = g.get("user_id")
    return user_id


def actor() -> Any:
    """The user who is signed in; raises Unauthorized for one who is not."""
    origin.confirm()
    if "user" not in g:  # a statement has confirmed it
        _confirm()
    return g.user


def viewer() -> Any | None:
    """The user who is signed in, if anybody is."""
    return actor() if "user_id" in g else None


def session_id() -> int:
    """The session of the user who is signed in; raises Unauthorized."""
    origin.confirm()
    id: int = g.session_id
    return id
