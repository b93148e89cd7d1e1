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

import project.features  # noqa: F401 - because its rooms have the rules
from project.db.rules import rules
from project.errors import Refused
from project.http.idempotency import HEADER, KEY

DOMAIN = {
    *("insufficient_stock", "stock_limit", "stale_version", "wrong_password", "in_use"),
    *("invalid_reset_token", "own_account", "last_superuser", "stale_stock", "batch_refused"),
    *("already_reversed", "reservation_closed"),
    "malformed_file",  # what CSV is, no schema can say
    *(rule.code for rule, _ in rules().values() if rule.kind is Refused),
}
UNSAYABLE = {  # which passwords are common, which addresses exist, what was
    *("too_common", "invalid_email", "in_future", "unknown_event", "not_public"),
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
        wrong = problem.get("errors", [])
        unsayable = wrong and all(_unsayable(each, case.body) for each in wrong)
        assert problem["code"] in DOMAIN or unsayable or _unstorable(problem, case.body), problem


def _unsayable(wrong: dict[str, str], body: Any) -> bool:
    """Also what a cursor is, and which numbers are within bounds where they are spelled."""
    field, code = wrong["field"], wrong["code"]
    spelled = isinstance(body, dict) and isinstance(body.get(field), str)
    cursor = (field, code) == ("cursor", "invalid")
    return code in UNSAYABLE or cursor or (spelled and code == "out_of_range")


def _unstorable(problem: dict[str, Any], body: Any) -> bool:
    """An object of any kind may hold NUL or half a character; the patterns of texts say no."""
    unstorable = re.search(r"\\u0000|\\ud[89a-f]", json.dumps(body, default=str))
    return problem["code"] == "malformed_body" and unstorable is not None


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
