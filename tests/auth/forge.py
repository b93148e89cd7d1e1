"""Tokens as only their issuer, or an attacker, would make them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

from config import NAME
from project.auth.tokens import key_id
from project.sessions.models import Session
from tests.conftest import SECRET

HEADER = {"alg": "HS256", "typ": "at+jwt", "kid": key_id(SECRET)}
ABSENT = object()


def forge(
    claims: dict[str, Any],
    header: dict[str, Any] | None = None,
    key: str = SECRET,
    digest: str = "",
) -> str:
    """A signed token of these claims; ABSENT ones are left out."""
    signed = f"{segment(present({**HEADER, **(header or {})}))}.{segment(present(claims))}"
    mac = hmac.digest(key.encode(), signed.encode(), digest or hashlib.sha256)
    return f"{signed}.{encoded(mac)}"


def present(members: dict[str, Any]) -> dict[str, Any]:
    """Without the ABSENT ones."""
    return {name: value for name, value in members.items() if value is not ABSENT}


def claims_of(session: Session, **others: Any) -> dict[str, Any]:
    """Everything a token of this session has to claim."""
    now = int(time.time())
    whose = {"sub": str(session.user_id), "sid": str(session.id), "jti": "j"}
    when = {"iat": now, "nbf": now, "exp": now + 900}
    return {"iss": NAME, "aud": NAME, **whose, **when, **others}


def segment(value: Any) -> str:
    """One part of a token."""
    return encoded(json.dumps(value).encode())


def encoded(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
