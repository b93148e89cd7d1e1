"""What the OpenAPI document says of an operation beyond its schemas."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import marshmallow as ma
from marshmallow import fields

from project import errors
from project.http import problems
from project.http.fields import Int, Text, Value

SOME_ID = "01KAMZ5Q1V3N6T8W0X2Y4Z6A8B"
ALWAYS = (errors.Unavailable,)
BUG = errors.Bug("Something broke on our side; the request id finds it in the log.")
WITH_QUERY = (errors.Invalid,)
WITH_BODY = (problems.BadBody, problems.TooLarge, problems.UnsupportedMedia, errors.Invalid)

MEANING = {
    400: "The body is not JSON, or a rule says no",
    401: "Nobody is signed in",
    403: "The caller may not",
    404: "There is no such thing",
    409: "Not in this state",
    412: "`If-Match` names another version",
    413: "The body is too large",
    415: "The body is not application/json",
    422: "Fields do not validate",
    500: "A bug of ours",
    503: "The database is away or busy",
}

REQUEST_ID = {"X-Request-Id": "RequestId"}
ETAG = {"ETag": "ETag"}
LOCATION = {"Location": "Location"}
RETRY_AFTER = {"Retry-After": "RetryAfter"}
CHALLENGE = {"WWW-Authenticate": "Challenge"}
EXTRA_HEADERS = {401: CHALLENGE, 503: RETRY_AFTER}


def _header(description: str, example: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}, "example": example}


HEADERS = {
    "RequestId": _header("Names this request in the logs.", SOME_ID),
    "ETag": _header("The version answered (strong).", '"1-1"'),
    "Location": _header("Where the new item lives.", "/api/v1/products/1"),
    "RetryAfter": _header("Seconds to wait.", "1"),
    "Challenge": _header("How to sign in (RFC 6750).", 'Bearer realm="stockroom"'),
}


class FieldProblem(ma.Schema):
    """What is wrong with one field."""

    in_ = Text(max=20, data_key="in", required=True, dump_only=True, example="body")
    field = Text(max=100, required=True, dump_only=True, example="price")
    code = Text(max=50, required=True, dump_only=True, example="out_of_range")
    message = Text(
        max=255, required=True, dump_only=True, example="Must be between 0.01 and 99999999.99."
    )


class Problem(ma.Schema):
    """A refusal (RFC 9457): `detail` is for a person, `code` for a program."""

    type = Text(max=255, required=True, dump_only=True, example="/problems/not-found")
    title = Text(max=255, required=True, dump_only=True, example="Not found")
    status = Int(required=True, dump_only=True, example=404)
    detail = Text(max=1000, required=True, dump_only=True, example="Product with id 9 not found")
    code = Text(max=50, required=True, dump_only=True, example="not_found")
    request_id = Text(max=128, required=True, dump_only=True, example=SOME_ID)
    errors = fields.List(fields.Nested(FieldProblem), dump_only=True)


def note(view: Any, key: str, value: Any) -> None:
    """Remember something of a view for its documentation."""
    view._apidoc = deepcopy(getattr(view, "_apidoc", {}))
    kept = view._apidoc.get(key)
    view._apidoc[key] = (*value, *(kept or ())) if isinstance(value, tuple) else value


def item_headers(*, located: bool) -> dict[str, Any]:
    """The headers of an answer that is one item."""
    return {**ETAG, **(LOCATION if located else {})}


def example(schema: ma.Schema, *, answered: bool) -> Any:
    """A document made of its fields' own examples."""
    shown = {}
    for name, field in (schema.dump_fields if answered else schema.load_fields).items():
        if isinstance(field, fields.List):
            if isinstance(field.inner, fields.Nested):
                shown[name] = [example(field.inner.schema, answered=answered)]
        elif isinstance(field, Value) and (field.example is not None or field.required):
            shown[field.data_key or name] = field.example
    return shown


def complete(doc: Any, info: Any, *, method: str, **_: Any) -> Any:
    """Name the operation, say who may call, and list every answer it can give."""
    doc["operationId"] = info["operation"]
    doc["security"] = [] if info["guard"] == "public" else [{"bearer": []}]
    doc.setdefault("parameters", [])
    responses = {status: doc["responses"][status] for status in doc["responses"] if status < 400}
    refusals = [*info.get("refusals", ()), *ALWAYS]
    if "requestBody" in doc:
        refusals += WITH_BODY
        _add_example(doc["requestBody"], answered=False)
    if doc["parameters"]:
        refusals += WITH_QUERY
    _conditional(doc, responses, method, refusals)
    for response in responses.values():
        _add_example(response, answered=True)
    responses |= _problems([*refusals, BUG])
    for response in responses.values():
        response["headers"] = {**response.get("headers", {}), **REQUEST_ID}
    doc["responses"] = {str(status): responses[status] for status in sorted(responses)}
    return doc


def _conditional(doc: Any, responses: Any, method: str, refusals: list[Any]) -> None:
    """An item can be asked for unless it is known, and changed only if it is as known."""
    if method == "get" and "ETag" in responses.get(200, {}).get("headers", {}):
        doc["parameters"].append("IfNoneMatch")
        responses[304] = {"description": "The caller holds this version", "headers": {**ETAG}}
    if any(problems.status_of(refusal) == 412 for refusal in refusals):
        doc["parameters"].append("IfMatch")


def _problems(refusals: list[Any]) -> dict[int, Any]:
    """One response per status, with an example for each way to earn it."""
    found: dict[int, dict[str, errors.Refusal]] = {}
    for refusal in refusals:
        shown = refusal if isinstance(refusal, errors.Refusal) else _specimen(refusal)
        found.setdefault(problems.status_of(shown), {}).setdefault(shown.code, shown)
    return {status: _problem(status, examples) for status, examples in found.items()}


def _problem(status: int, refusals: dict[str, errors.Refusal]) -> dict[str, Any]:
    examples = {
        code: {"value": problems.document(refusal, SOME_ID)} for code, refusal in refusals.items()
    }
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": MEANING[status],
        "headers": {**EXTRA_HEADERS.get(status, {})},
        "content": {"application/problem+json": {"schema": schema, "examples": examples}},
    }


def _specimen(family: type[errors.Refusal]) -> errors.Refusal:
    """What a family says where a view gives no example of its own."""
    if family is errors.Invalid:
        wrong = {"in": "body", "field": "price", "code": "out_of_range"}
        return errors.Invalid([{**wrong, "message": "Must be between 0.01 and 99999999.99."}])
    return family((family.__doc__ or "").strip())


def _add_example(described: Any, *, answered: bool) -> None:
    for media in described.get("content", {}).values():
        media.setdefault("example", example(media["schema"], answered=answered))
