"""Idempotency-Key: a request that comes again is answered again, and done once.

The answer is stored in the transaction of its effect, so that there is either both or neither,
whatever crashes. What is refused without having been judged (401, 403, 422, 429, 5xx) is not.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from typing import Any

from flask import Response, current_app, g, request

from project.db import savepoint
from project.errors import Conflict, Invalid, NotFound, Refused, Stale
from project.http import problems
from project.http.guards import caller
from project.http.idempotency import keys

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEY = r"[!-~]{1,255}"  # visible ASCII
STORED = (Refused, NotFound, Conflict, Stale)  # refusals that are the outcome, as a success is
KEPT = ("Content-Type", "ETag", "Location")

View = Callable[..., Any]


class KeyRequired(Refused):
    """This deployment takes such requests only with a key."""

    code = "idempotency_key_required"
    sentence = f"Send {HEADER} with this request: 1 to 255 visible ASCII characters of your choice."


class KeyInProgress(Conflict):
    """The same request is being answered at this moment."""

    code = "idempotency_key_in_progress"
    sentence = f"A request with this {HEADER} is still running; try again in a moment."


class KeyMalformed(Invalid):
    """What was sent is no key."""

    problem = ("invalid", "Must be 1 to 255 visible ASCII characters.")
    sentence = f"{HEADER}: {problem[1]}"

    def __init__(self) -> None:
        code, message = self.problem
        super().__init__([{"in": "header", "field": HEADER, "code": code, "message": message}])


class KeyReused(KeyMalformed):
    """The key belongs to another request."""

    code = "idempotency_key_reused"
    problem = ("reused", "Was sent with another request; choose a new one.")
    sentence = f"{HEADER}: {problem[1]}"


REFUSALS = (KeyInProgress, KeyMalformed, KeyReused)


def once(view: View, operation: str, group: str) -> View:
    """The view, done once for each caller and key.

    group: what REQUIRE_IDEMPOTENCY_KEY may name to demand a key.
    """

    @wraps(view)
    def answered(*args: Any, **kwargs: Any) -> Any:
        key = _key(group)
        if key is None:
            return view(*args, **kwargs)
        name = sha256(json.dumps([caller(), operation, key]).encode()).digest()
        if not keys.claim(name):
            raise KeyInProgress
        if (found := keys.find(name)) is not None:
            return _replay(found)
        response = _outcome(view, *args, **kwargs)
        headers = {name: response.headers[name] for name in KEPT if name in response.headers}
        [fingerprint, *_] = _fingerprints()
        answer = keys.Answer(fingerprint, response.status_code, headers, response.get_data())
        keys.store(name, answer)
        return response

    return answered


def _key(group: str) -> str | None:
    """The key sent, if any; raises KeyRequired and KeyMalformed."""
    key = request.environ.get("HTTP_IDEMPOTENCY_KEY")
    if key is None and group and current_app.config.get("REQUIRE_IDEMPOTENCY_KEY") == group:
        raise KeyRequired
    if key is not None and not re.fullmatch(KEY, key):
        raise KeyMalformed
    return key


def _outcome(view: View, *args: Any, **kwargs: Any) -> Response:
    """What is answered, and what led to it written; of a refusal only if it keeps that."""
    try:
        with savepoint():
            return current_app.make_response(view(*args, **kwargs))
    except STORED as refusal:
        return problems.answer(refusal)


def _replay(found: keys.Answer) -> Response:
    """The stored answer, byte for byte; raises KeyReused for another request."""
    if not any(hmac.compare_digest(found.fingerprint, each) for each in _fingerprints()):
        raise KeyReused
    response = current_app.response_class(found.body, found.status, found.headers)
    response.headers[REPLAYED] = "true"
    return response


def _fingerprints() -> list[bytes]:
    """What tells this request from others, by each key that signs: a body may hold a password,
    which nobody shall guess from what is stored.
    """
    whole = b"\0".join(
        [request.path.rstrip("/").encode(), request.query_string, g.get("body", b"")]
    )
    keys = (current_app.config["SECRET_KEY"], *current_app.config["SECRET_KEY_FALLBACKS"])
    return [hmac.digest(key.encode(), whole, "sha256") for key in keys]
