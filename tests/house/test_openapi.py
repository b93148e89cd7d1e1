"""The whole application, walked: what it does is documented, and what is documented is so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from flask.testing import FlaskClient

from project.http.app import App

BEARER: dict[str, Any] = {"bearer": []}
METRICS_TOKEN: dict[str, Any] = {"metrics_token": []}
GUARDS: dict[str, tuple[list[Any], set[str]]] = {  # each with what it documents
    "public": ([], set()),
    "optionally_signed_in": ([{}, BEARER], {"401"}),
    "signed_in": ([BEARER], {"401"}),
    "self_or_superuser": ([BEARER], {"401", "403"}),
    "superuser": ([BEARER], {"401", "403"}),
    "watcher": ([{}, METRICS_TOKEN], {"401", "403"}),
}
UNDOCUMENTED = {"api-docs", "docs"}  # the document itself, and the page that shows it
UNLIMITED = {"healthz", "readyz", "metrics"}
Operation = dict[str, Any]


@pytest.fixture
def document(client: FlaskClient) -> Any:
    return client.get("/api/v1/openapi.json").json


@pytest.fixture
def operations(document: Any) -> dict[str, Operation]:
    """Every operation by its id, with its address, method and components resolved."""
    found = [
        {**resolved(operation, document), "path": path, "method": method}
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]
    named = {operation["operationId"]: operation for operation in found}
    assert len(named) == len(found)
    return named


def test_every_address_is_documented_and_no_other(app: App, document: Any) -> None:
    known = {(path, method) for path, item in document["paths"].items() for method in item}
    routed = {
        (re.sub(r"<[^:>]+:(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.endpoint.partition(".")[0] not in UNDOCUMENTED
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(path, method) for path, method in known if method != "parameters"} == routed


def test_every_view_names_its_guard_and_documents_it(
    app: App, operations: dict[str, Operation]
) -> None:
    views = [
        (endpoint.partition(".")[2], view)
        for endpoint, view in app.view_functions.items()
        if endpoint.partition(".")[0] not in UNDOCUMENTED
    ]
    assert {name for name, _ in views} == set(operations)
    for name, view in views:
        security, statuses = GUARDS[getattr(view, "_apidoc", {})["guard"]]
        assert operations[name]["security"] == security
        assert statuses <= set(operations[name]["responses"])


def test_every_operation_is_complete(operations: dict[str, Operation]) -> None:
    assert {name: gaps for name, it in operations.items() if (gaps := list(missing(it)))} == {}


FILES = {"text/csv", "application/x-ndjson"}  # of a download, whichever is asked for
TEXT = {"text/plain"}  # of /metrics
HEADERS = {"If-Match", "If-None-Match", "Idempotency-Key"}


def missing(operation: Operation) -> Iterator[str]:
    """What an operation of this kind must tell and does not."""
    responses = operation["responses"]
    parameters = {parameter["name"] for parameter in operation["parameters"]}
    if not re.fullmatch("[a-z][a-z0-9]*(_[a-z0-9]+)*", operation["operationId"]):
        yield "an operationId in snake_case"
    if not operation.get("summary") or len(operation.get("tags", [])) != 1:
        yield "a summary and one tag"
    needed = {"500", "503"} if operation["operationId"] in UNLIMITED else {"429", "500", "503"}
    needed |= {"400", "413", "415", "422"} if "requestBody" in operation else set()
    needed |= {"414", "422"} if parameters - HEADERS else set()
    needed |= {"404"} if "{" in operation["path"] else set()
    needed |= {"412"} if "If-Match" in parameters else set()
    needed |= {"304"} if "If-None-Match" in parameters else set()
    yield from needed - set(responses)
    conditional = {"get": "If-None-Match", "put": "If-Match", "patch": "If-Match"}
    if "ETag" in responses.get("200", {}).get("headers", {}):
        yield from {conditional.get(operation["method"], "")} - parameters - {""}
    for status, response in responses.items():
        headers = {"414": set(), "401": {"WWW-Authenticate"}, "503": {"Retry-After"}}
        headers |= {"201": {"ETag", "Location"}, "304": {"ETag"}}
        headers |= {"429": {"Retry-After", "RateLimit", "RateLimit-Policy"}}
        always = {"X-Request-Id"} if status != "414" else set()
        yield from (headers.get(status, set()) | always) - set(response.get("headers", {}))
        if status not in ("202", "204", "304", "414"):
            json = "application/json" if status < "400" else "application/problem+json"
            others = (FILES, TEXT) if status < "400" else ()
            if set(response["content"]) not in ({json}, *others):
                yield f"the media type of {status}"
            for content in response["content"].values():
                if not (content.get("example") or content.get("examples")):
                    yield f"an example of {status}"


def test_every_example_is_valid(document: Any, operations: dict[str, Operation]) -> None:
    shown = list(examples(document))
    assert len(shown) > 10 * len(operations)
    for schema, example in shown:
        validator(schema, document).validate(example)


def test_schemas_have_one_name_each(document: Any) -> None:
    names = document["components"]["schemas"]
    assert [name for name in names if not re.fullmatch("([A-Z][a-z]+)+", name)] == []
    of = {name: re.sub("(In|Out|Patch|Page)$", "", name) for name in names}  # rooms may be alike
    texts = {(of[name], str({**schema, "description": ""})) for name, schema in names.items()}
    assert len(texts) == len(names)


def test_a_change_needs_something_to_change(document: Any) -> None:
    assert not validator({"$ref": "#/components/schemas/UserPatch"}, document).is_valid({})


def examples(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every example in the document with the schema it stands beside."""
    if isinstance(node, list):
        node = dict(enumerate(node))
    if not isinstance(node, dict):
        return
    schema = node.get("schema", node)
    if "example" in node and isinstance(schema, dict):
        yield schema, node["example"]
    if isinstance(shown := node.get("examples"), dict):
        yield from ((schema, example["value"]) for example in shown.values())
    elif isinstance(shown, list):
        yield from ((node, example) for example in shown)
    for name, inner in node.items():
        if name not in ("example", "examples"):
            yield from examples(inner)


def resolved(node: Any, document: Any) -> Any:
    """A part of the document with its references to parameters and headers followed."""
    if isinstance(node, list):
        return [resolved(inner, document) for inner in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref", "#/components/schemas/")
    if not reference.startswith("#/components/schemas/"):
        _, _, kind, name = reference.split("/")
        return document["components"][kind][name]
    return {name: resolved(inner, document) for name, inner in node.items()}


def validator(schema: Any, document: Any) -> jsonschema_rs.Validator:
    """A validator of a schema that may refer to the document's components."""
    whole = {"allOf": [schema], "components": document["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
