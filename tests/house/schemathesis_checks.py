"""What Schemathesis cannot know of this API by itself."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.request import Request, urlopen

import schemathesis

from project.http.idempotency import HEADER, KEY

DOMAIN = {
    *("duplicate_name", "insufficient_stock", "stock_limit", "stale_version"),
    *("duplicate_email", "duplicate_username", "wrong_password", "invalid_reset_token"),
    *("own_account", "last_superuser", "stale_stock", "batch_refused", "already_reversed"),
    "reservation_closed",
    "malformed_file",  # what CSV is, no schema can say
}
UNSAYABLE = {  # which passwords are common, which addresses exist, what a cursor is, what was
    ("password", "too_common"),
    ("email", "invalid_email"),
    ("cursor", "invalid"),
    ("at", "in_future"),
    ("after", "unknown_event"),
    ("url", "not_public"),
}
SIGNING_OUT = {"logout", "logout_all", "delete_session"}
PASSWORD = "correct horse battery"
LONG = 10_000  # characters
numbers = count(1)


@schemathesis.hook
def before_load_schema(context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Long texts keep their pattern, in a group.

    Into one without, Schemathesis writes the length: `{0,49999}` takes half a second to compile,
    many times over, and says no more than `maxLength` does.
    """
    for schema in parts(raw_schema):
        if schema.get("maxLength", 0) > LONG and "pattern" in schema:
            schema["pattern"] = f"^({schema['pattern'][1:-1]})$"


def parts(document: Any) -> Iterator[dict[str, Any]]:
    """Every object in it."""
    if isinstance(document, dict):
        yield document
    for value in document.values() if isinstance(document, dict) else document:
        if isinstance(value, dict | list):
            yield from parts(value)


@schemathesis.check
def valid_data_is_refused_by_a_rule_only(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """Well-formed requests are refused for what is stored, or for a cursor that was made up."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.status_code in (400, 409, 412, 422):
        problem = response.json()
        errors = {(wrong["field"], wrong["code"]) for wrong in problem.get("errors", [])}
        assert problem["code"] in DOMAIN or (errors and errors <= UNSAYABLE), problem


@schemathesis.hook
def before_call(
    context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]
) -> None:
    """Names in the examples are free only once; a fresh one lets the other fields be judged."""
    number = next(numbers)
    fresh = {"name": f"Desk lamp {number}", "username": f"ada{number}"}
    fresh["email"] = f"ada{number}@example.org"
    headers: Any = case.headers or {}
    if re.fullmatch(KEY, str(headers.get(HEADER, ""))):
        headers[HEADER] = f"key-{number}"  # one that was used belongs to another request
    if isinstance(case.body, dict):
        taken = ("Desk lamp", "ada", "ada@example.org")
        case.body = {
            key: fresh[key] if key in fresh and value in taken else value
            for key, value in case.body.items()
        }


@schemathesis.auth(refresh_interval=None)
class Bearer:
    """The token of SCHEMATHESIS_TOKEN; but whoever signs out is somebody else each time."""

    def get(self, case: Any, context: Any) -> str | None:
        if "SCHEMATHESIS_TOKEN" not in os.environ:
            return None
        if case.operation.definition.raw["operationId"] in SIGNING_OUT:
            return stranger(case.operation.base_url, next(numbers))
        return os.environ["SCHEMATHESIS_TOKEN"]

    def set(self, case: Any, data: str | None, context: Any) -> None:
        if data is not None:
            case.headers["Authorization"] = f"Bearer {data}"


def stranger(base_url: str, number: int) -> str:
    """The access token of an account made just now."""
    name = f"stranger{number}"
    account = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    post(f"{base_url}/api/v1/auth/register", account)
    token = post(f"{base_url}/api/v1/auth/login", {"login": name, "password": PASSWORD})
    return str(token["access_token"])


def post(url: str, document: dict[str, str]) -> Any:
    """The document answered."""
    data, headers = json.dumps(document).encode(), {"Content-Type": "application/json"}
    with urlopen(Request(url, data, headers), timeout=30) as answer:
        return json.load(answer)
