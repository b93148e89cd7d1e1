"""Who may call: each guard enforces and documents in one word.

Rooms above tell this one how a token finds its user: see `project/auth/tokens.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flask import g, request
from flask_jwt_extended import get_current_user, get_jwt, verify_jwt_in_request
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt import PyJWTError

from project import origin
from project.errors import Forbidden, OnlySuperusers, Unauthorized
from project.http.problems import InvalidToken

Guard = Callable[[], None]

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
    """Any active user with a valid access token; raises Unauthorized."""
    request.environ["HTTP_AUTHORIZATION"] = f"Bearer {bearer()}"  # as the library spells it
    try:
        verify_jwt_in_request()
    except (JWTExtendedException, PyJWTError, *ODD):
        raise InvalidToken from None
    g.user = get_current_user()
    g.user_id = g.user.id
    origin.act(g.user.id, g.user.username)


def bearer() -> str:
    """What may be a token of ours in the Authorization header; raises Unauthorized."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
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
    user_id: int | None = g.get("user_id")
    return user_id


def actor() -> Any:
    """The user who is signed in."""
    return g.user


def viewer() -> Any | None:
    """The user who is signed in, if anybody is."""
    return g.get("user")


def session_id() -> int:
    """The session of the access token."""
    return int(get_jwt()["sid"])
