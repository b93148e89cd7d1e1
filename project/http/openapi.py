"""What the OpenAPI document says of an operation beyond its schemas."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import marshmallow as ma
from flask import Flask
from marshmallow import fields

from project import errors
from project.http import limits, problems, uploads
from project.http.body import LIMIT
from project.http.fields import Value

SECURITY: dict[str, list[Any]] = {  # of guards that let in others than the signed in
    "public": [],
    "optionally_signed_in": [{}, {"bearer": []}],
    "watcher": [{}, {"metrics_token": []}],
}
SOME_ID = "01KAMZ5Q1V3N6T8W0X2Y4Z6A8B"
Refusals = tuple[type[errors.Refusal] | errors.Refusal, ...]

# What a family says where a view gives no example of its own: word for word what is answered.
SPECIMENS: dict[type[errors.Refusal], tuple[errors.Refusal, ...]] = {
    problems.BadBody: (
        problems.BadBody("The body is not JSON: Expecting value at line 1 column 1."),
        problems.BadBody("A JSON body is required."),
    ),
    problems.TooLarge: (problems.TooLarge(f"The body is larger than {LIMIT} bytes."),),
    problems.UnsupportedMedia: (
        problems.UnsupportedMedia("Send the body as Content-Type: application/json."),
        problems.UnsupportedMedia("Send the body without Content-Encoding."),
    ),
    errors.Unavailable: (
        errors.Unavailable("The database is away; try again."),
        errors.Unavailable("The database is busy; try again.", code="busy"),
    ),
    errors.Bug: (errors.Bug("Something broke on our side; the request id finds it in the log."),),
}
WITH_BODY = (problems.BadBody, problems.TooLarge, problems.UnsupportedMedia)
ALWAYS = (errors.Unavailable, errors.Bug)

MEANING = {
    400: "The body cannot be read, or a rule says no",
    401: "Nobody is signed in",
    403: "The caller may not",
    404: "There is no such thing",
    409: "Not in this state",
    412: "`If-Match` names another version",
    413: "The body is too large",
    415: "The body is of another media type",
    422: "Fields do not validate",
    429: "A limit is reached",
    500: "A bug of ours",
    503: "The database is away or busy",
}

TOO_LONG = {  # gunicorn's own answer, before the application hears of it
    "description": "The address is longer than 8190 bytes",
    "content": {"text/html": {"schema": {"type": "string"}}},
}

REQUEST_ID = {"X-Request-Id": "RequestId"}
ETAG = {"ETag": "ETag"}
LOCATION = {"Location": "Location"}
WAIT = {"Retry-After": "RetryAfter"}
EXTRA_HEADERS = {
    401: {"WWW-Authenticate": "Challenge"},
    429: {**WAIT, "RateLimit": "RateLimit", "RateLimit-Policy": "RateLimitPolicy"},
    503: WAIT,
}


def note(view: Any, key: str, value: Any) -> None:
    """Remember something of a view for its documentation."""
    view._apidoc = deepcopy(getattr(view, "_apidoc", {}))
    kept = view._apidoc.get(key)
    view._apidoc[key] = (*value, *(kept or ())) if isinstance(value, tuple) else value


def item_headers(*, located: bool, tagged: bool) -> dict[str, Any]:
    """The headers of an answer that is one item."""
    return {**(ETAG if tagged else {}), **(LOCATION if located else {})}


def example(schema: ma.Schema, *, answered: bool) -> Any:
    """A document made of its fields' own examples."""
    shown = {}
    for name, field in (schema.dump_fields if answered else schema.load_fields).items():
        if isinstance(field, fields.Nested):
            shown[name] = example(field.schema, answered=answered)
        elif isinstance(field, fields.List):
            if isinstance(field.inner, fields.Nested):
                shown[name] = [example(field.inner.schema, answered=answered)]
            elif isinstance(field.inner, Value) and field.required:
                shown[name] = [field.inner.example]
        elif isinstance(field, Value) and (field.example is not None or field.required):
            shown[field.data_key or name] = field.example
    return shown


def complete(doc: Any, info: Any, *, app: Flask, method: str, **_: Any) -> Any:
    """Name the operation, say who may call, and list every answer it can give."""
    doc["operationId"] = info["operation"]
    doc["security"] = SECURITY.get(info["guard"], [{"bearer": []}])
    doc.setdefault("parameters", [])
    asked = bool(doc["parameters"])
    if "upload" in info:
        doc["requestBody"] = info["upload"]
    responses = {status: doc["responses"][status] for status in doc["responses"] if status < 400}
    read = "body" if "requestBody" in doc else "query" if asked else ""
    limited = (limits.example(app, name) for name in info["limits"])
    refusals = (*info.get("refusals", ()), *limited, *_of_input(read, "upload" in info), *ALWAYS)
    if "requestBody" in doc:
        _add_example(doc["requestBody"], answered=False)
    _conditional(doc, responses, method, refusals)
    if "once" in info:
        doc["parameters"].append("IdempotencyKey")
    for response in responses.values():
        _add_example(response, answered=True)
    responses |= _problems(refusals)
    for response in responses.values():
        response["headers"] = {**REQUEST_ID, **response.get("headers", {})}
    responses |= {414: TOO_LONG} if asked else {}
    doc["responses"] = {str(status): responses[status] for status in sorted(responses)}
    return doc


def _of_input(read: str, uploaded: bool) -> Refusals:
    """How an operation can refuse what it reads: unknown fields are an example that all share."""
    if not read:
        return ()
    colour = {"in": read, "field": "colour", "code": "unknown", "message": "Unknown field."}
    with_body = uploads.REFUSALS if uploaded else WITH_BODY if read == "body" else ()
    return (*with_body, errors.Invalid([colour]))


def _conditional(doc: Any, responses: Any, method: str, refusals: Refusals) -> None:
    """An item can be asked for unless it is known, and changed only if it is as known."""
    if method == "get" and "ETag" in responses.get(200, {}).get("headers", {}):
        doc["parameters"].append("IfNoneMatch")
        responses[304] = {"description": "The caller holds this version", "headers": {**ETAG}}
    if any(refusal.code == errors.Stale.code for refusal in refusals):
        doc["parameters"].append("IfMatch")


def _problems(refusals: Refusals) -> dict[int, Any]:
    """One response per status, with an example for each way to earn it."""
    found: dict[int, dict[str, Any]] = {}
    for refusal in _specimens(refusals):
        document = problems.document(refusal, SOME_ID)
        examples = found.setdefault(document["status"], {})
        same = [shown for shown in examples if shown.startswith(refusal.code)]
        name = f"{refusal.code}_{len(same) + 1}" if same else refusal.code
        examples[name] = {"summary": refusal.sentence, "value": document}
    return {status: _problem(status, examples) for status, examples in found.items()}


def _specimens(refusals: Refusals) -> Iterator[errors.Refusal]:
    for refusal in dict.fromkeys(refusals):
        if isinstance(refusal, errors.Refusal):
            yield refusal
        elif refusal.sentence:
            yield refusal()
        else:
            yield from SPECIMENS[refusal]


def _problem(status: int, examples: dict[str, Any]) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": MEANING[status],
        "headers": {**EXTRA_HEADERS.get(status, {})},
        "content": {"application/problem+json": {"schema": schema, "examples": examples}},
    }


def _add_example(described: Any, *, answered: bool) -> None:
    for media in described.get("content", {}).values():
        if "example" not in media:
            media["example"] = example(media["schema"], answered=answered)
