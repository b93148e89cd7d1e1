"""Access tokens: JWT (RFC 9068), HS256, fifteen minutes, every claim required."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Any

from flask import Flask, current_app
from flask_jwt_extended import JWTManager, create_access_token
from jwt import InvalidKeyError

from config import NAME
from project.auth import service
from project.sessions.models import Session

LIFETIME = timedelta(minutes=15)
TYPE = "at+jwt"
SCHEME = "Bearer"
CLAIMS = {"iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"}
ID = re.compile("[0-9]{1,18}", re.ASCII)


def init_app(app: Flask) -> None:
    """Teach the JWT library what a token of ours is and whose it is."""
    app.config.update(
        JWT_ALGORITHM="HS256",
        JWT_DECODE_ALGORITHMS=["HS256"],
        JWT_TOKEN_LOCATION=["headers"],
        JWT_COOKIE_CSRF_PROTECT=False,
        JWT_ACCESS_TOKEN_EXPIRES=LIFETIME,
        JWT_ENCODE_ISSUER=NAME,
        JWT_DECODE_ISSUER=NAME,
        JWT_ENCODE_AUDIENCE=NAME,
        JWT_DECODE_AUDIENCE=NAME,
    )
    keys = (app.config["SECRET_KEY"], *app.config["SECRET_KEY_FALLBACKS"])
    app.extensions["signing_keys"] = {key_id(key): key for key in keys}
    app.extensions["holders"] = {}
    jwt = JWTManager(app)
    jwt.decode_key_loader(_key)
    jwt.token_verification_loader(_complete)
    app.extensions["signed_in"] = service.signed_in


def issue(session: Session, refresh_token: str) -> dict[str, Any]:
    """What a session's holder gets: a new access token, and how to get the next."""
    token = create_access_token(
        str(session.user_id),
        additional_headers={"typ": TYPE, "kid": key_id(current_app.config["SECRET_KEY"])},
        additional_claims={"sid": str(session.id)},
    )
    return {
        "access_token": token,
        "token_type": SCHEME,
        "expires_in": int(LIFETIME.total_seconds()),
        "refresh_token": refresh_token,
    }


def key_id(key: str) -> str:
    """A key's name in the header of its tokens: the same in every process, and no hint to it."""
    return hashlib.sha256(f"{NAME} key id {key}".encode()).hexdigest()[:16]


def _key(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """The key a token names, out of the few we have."""
    try:
        return str(current_app.extensions["signing_keys"][header.get("kid")])
    except KeyError:
        raise InvalidKeyError("no key of ours") from None


def _complete(header: dict[str, Any], claims: dict[str, Any]) -> bool:
    """Whether type and claims are there: the library fills in a missing `type` and `jti` itself."""
    whole = header.get("typ") == TYPE and all(claims.get(name) is not None for name in CLAIMS)
    ids = (claims.get("sub"), claims.get("sid"))
    return whole and all(isinstance(id, str) and ID.fullmatch(id) is not None for id in ids)
