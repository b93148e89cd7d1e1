"""Signatures as Standard Webhooks has them: HMAC-SHA256 of id, instant and body."""

from __future__ import annotations

import hmac
import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import Any

PREFIX = "whsec_"


def new_secret() -> str:
    """256 random bits, as receivers write them into their settings."""
    return PREFIX + b64encode(secrets.token_bytes(32)).decode()


def body(type: str, timestamp: str, data: dict[str, Any]) -> bytes:
    """What is sent of an event: the same bytes on every attempt."""
    document = {"type": type, "timestamp": timestamp, "data": data}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def headers(id: str, timestamp: int, body: bytes, keys: Iterable[str]) -> dict[str, str]:
    """The headers that let a receiver trust a body; one signature for each secret."""
    signed = f"{id}.{timestamp}.".encode() + body
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_signature(key, signed) for key in keys),
    }


def _signature(secret: str, signed: bytes) -> str:
    digest = hmac.digest(b64decode(secret.removeprefix(PREFIX)), signed, "sha256")
    return f"v1,{b64encode(digest).decode()}"
