"""Opaque tokens: random, and kept as a hash that nobody can turn round."""

from __future__ import annotations

import hashlib
import secrets


def new() -> str:
    """256 random bits, base64url."""
    return secrets.token_urlsafe(32)


def hashed(token: str) -> bytes:
    """What is kept of it; so many random bits need no salt and no second round."""
    return hashlib.sha256(token.encode()).digest()
