"""Who may call: each guard enforces and documents in one word.

Rooms above tell this one how a token finds its user: see `project/auth/tokens.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import g, request
from flask_jwt_extended import get_current_user, verify_jwt_in_request
from flask_jwt_extended.exceptions import JWTExtendedException, NoAuthorizationError
from jwt import ExpiredSignatureError, PyJWTError

from project.errors import Forbidden, Unauthorized

Guard = Callable[[], None]


def public() -> None:
    """Anybody."""


def signed_in() -> None:
    """Any active user with a valid access token; raises Unauthorized."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":  # RFC 9110 section 11.1: in any case; the library knows one
        request.environ["HTTP_AUTHORIZATION"] = f"Bearer {credentials}"
    try:
        verify_jwt_in_request()
    except NoAuthorizationError:
        raise Unauthorized("Sign in: send Authorization: Bearer and an access token.") from None
    except ExpiredSignatureError:
        raise _invalid("The access token has expired; sign in again.") from None
    except (JWTExtendedException, PyJWTError, ValueError):
        raise _invalid("The access token is not valid; sign in again.") from None
    g.user = get_current_user()
    g.user_id = g.user.id


def superuser() -> None:
    """A superuser; raises Unauthorized or Forbidden."""
    signed_in()
    if not actor().is_superuser:
        raise Forbidden("Only a superuser may do this.")


def actor() -> Any:
    """The user who is signed in."""
    return g.user


def _invalid(sentence: str) -> Unauthorized:
    return Unauthorized(sentence, code="invalid_token")
