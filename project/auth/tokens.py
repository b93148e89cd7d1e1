"""Access tokens: JWT (RFC 9068), HS256, fifteen minutes, every claim required."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

from flask import Flask
from flask_jwt_extended import JWTManager, create_access_token

from project.users import service as users
from project.users.models import User

LIFETIME = timedelta(minutes=15)
TYPE = "at+jwt"
CLAIMS = {"iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"}


def init_app(app: Flask) -> None:
    """Teach the JWT library what a token of ours is and whose it is."""
    app.config.update(
        JWT_SECRET_KEY=app.config["SECRET_KEY"],
        JWT_ALGORITHM="HS256",
        JWT_DECODE_ALGORITHMS=["HS256"],
        JWT_TOKEN_LOCATION=["headers"],
        JWT_COOKIE_CSRF_PROTECT=False,
        JWT_ACCESS_TOKEN_EXPIRES=LIFETIME,
        JWT_ENCODE_ISSUER="stockroom",
        JWT_DECODE_ISSUER="stockroom",
        JWT_ENCODE_AUDIENCE="stockroom",
        JWT_DECODE_AUDIENCE="stockroom",
    )
    jwt = JWTManager(app)
    jwt.token_verification_loader(_complete)
    jwt.user_lookup_loader(_owner)


def issue(user: User) -> dict[str, Any]:
    """A new access token as the login answers it."""
    token = create_access_token(
        str(user.id),
        additional_headers={"typ": TYPE},
        additional_claims={"sid": str(uuid4())},
    )
    return {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": int(LIFETIME.total_seconds()),
    }


def _complete(header: dict[str, Any], claims: dict[str, Any]) -> bool:
    """Whether type and claims are there: the library fills in a missing `type` and `jti` itself."""
    return header.get("typ") == TYPE and all(claims.get(name) is not None for name in CLAIMS)


def _owner(header: dict[str, Any], claims: dict[str, Any]) -> User | None:
    """The token's user as he is now: deactivation acts on the next request."""
    if not re.fullmatch("[0-9]{1,18}", claims["sub"], re.ASCII):
        return None
    return users.active(int(claims["sub"]))
