"""Tokens as only their issuer, or an attacker, would make them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

from tests.conftest import SECRET

HEADER = {"alg": "HS256", "typ": "at+jwt"}
ABSENT = object()


def forge(
    claims: dict[str, Any],
    header: dict[str, Any] | None = None,
    key: str = SECRET,
    digest: str = "",
) -> str:
    """A signed token of these claims; ABSENT ones are left out."""
    kept = {name: value for name, value in claims.items() if value is not ABSENT}
    signed = f"{segment({**HEADER, **(header or {})})}.{segment(kept)}"
    mac = hmac.digest(key.encode(), signed.encode(), digest or hashlib.sha256)
    return f"{signed}.{encoded(mac)}"


def claims_of(user_id: int, **others: Any) -> dict[str, Any]:
    """Everything a token of ours has to claim."""
    now = int(time.time())
    kept = {"iss": "stockroom", "aud": "stockroom", "sub": str(user_id), "sid": "s", "jti": "j"}
    return {**kept, "iat": now, "nbf": now, "exp": now + 900, **others}


def segment(value: Any) -> str:
    """One part of a token."""
    return encoded(json.dumps(value).encode())


def encoded(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
