"""What is true of every answer: request ids, problem documents, addresses, methods, log lines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from config import Config
from project import errors
from project.http.app import App
from project.http.problems import BadBody, TooLarge, UnsupportedMedia
from tests.conftest import SECRET
from tests.samples import laboratory

URL = "/api/v1/samples/"
ULID = 26


@pytest.fixture(scope="module")
def broken(database_url: str) -> App:
    """An application with a view for every way to fail."""
    app = laboratory.create(Config(database_url=database_url, secret_key=SECRET))

    @app.route("/bug", methods=["GET", "POST"])
    def bug() -> str:
        raise RuntimeError("SELECT secret FROM drawer")

    @app.get("/refuse/<name>")
    def refuse(name: str) -> str:
        raise REFUSALS[name]

    return app


REFUSALS: dict[str, errors.Refusal] = {
    "400": errors.Refused("No."),
    "400-body": BadBody("No."),
    "401": errors.Unauthorized("No."),
    "403": errors.Forbidden("No."),
    "404": errors.NotFound("No."),
    "409": errors.Conflict("No."),
    "412": errors.Stale("No."),
    "413": TooLarge("No."),
    "415": UnsupportedMedia("No."),
    "422": errors.Invalid([{"in": "body", "field": "x", "code": "y", "message": "No."}]),
    "500": errors.Bug("No."),
    "503": errors.Unavailable("No."),
}


def lines(text: str, event: str) -> list[dict[str, Any]]:
    """The log lines of this event."""
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in found if line["event"] == event]


@pytest.mark.parametrize("name", REFUSALS)
def test_every_refusal_has_the_same_shape(broken: App, name: str) -> None:
    answer = broken.test_client().get(f"/refuse/{name}")
    status = int(name[:3])
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    found = dict(answer.json or {})
    members = ["type", "title", "status", "detail", "code", "request_id"]
    assert list(found) == [*members, *(["errors"] if status == 422 else [])]
    assert found["type"] == f"/problems/{found['code'].replace('_', '-')}"
    assert found["title"].replace(" ", "_").lower() == found["code"]
    assert (found["status"], found["request_id"]) == (status, answer.headers["X-Request-Id"])
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert ("Retry-After" in answer.headers) == (status == 503)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_bug_tells_the_log_everything_and_the_caller_nothing(
    broken: App, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    answer = broken.test_client().open("/bug", method=method, headers={"X-Request-Id": "abc"})
    assert answer.status_code == 500
    assert answer.json is not None
    assert (answer.json["code"], answer.json["request_id"]) == ("internal_error", "abc")
    for secret in ("SELECT", "drawer", "Runtime", "Traceback", "/bug", ".py"):
        assert secret not in answer.text
    logged = capsys.readouterr().err
    [line] = lines(logged, "bug")
    assert line["request_id"] == "abc"
    assert "RuntimeError: SELECT secret FROM drawer" in line["exception"]
    assert "Traceback" in line["exception"]
    assert lines(logged, "request")[0]["status"] == 500


@pytest.mark.parametrize(
    "sent", ["abc", "x" * 128, "01J0000000000000000000000A", "a.b:c/d+e=f~g-h_i", "0"]
)
def test_a_valid_request_id_is_kept(client: FlaskClient, sent: str) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": sent}).headers["X-Request-Id"] == sent


@pytest.mark.parametrize("sent", ["", " ", "x" * 129, "a b", "é", '"', "<b>", "a,b", "{}", "a\tb"])
def test_an_invalid_request_id_is_replaced(client: FlaskClient, sent: str) -> None:
    given = client.get("/healthz", headers={"X-Request-Id": sent}).headers["X-Request-Id"]
    assert given != sent
    assert len(given) == ULID
    assert given.isalnum()


def test_every_answer_carries_its_request_id(
    client: FlaskClient, signed_in: dict[str, str]
) -> None:
    seen = []
    for method, path, status in (
        ("GET", "/healthz", 200),
        ("GET", "/nowhere", 404),
        ("DELETE", "/healthz", 405),
        ("OPTIONS", URL, 200),
        ("HEAD", URL, 200),
        ("GET", f"{URL}?x=1", 422),
        ("POST", URL, 401),
        ("GET", "/api/v1/openapi.json", 200),
        ("GET", "/docs", 200),
    ):
        answer = client.open(path, method=method, buffered=True)
        assert answer.status_code == status, path
        seen.append(answer.headers["X-Request-Id"])
    big = client.post(URL, data=b" " * 2**21, content_type="application/json", headers=signed_in)
    assert big.status_code == 413
    seen.append(big.headers["X-Request-Id"])
    assert len(set(seen)) == len(seen)


ADDRESSES = ["/healthz", "/readyz", "/api/v1/openapi.json", "/docs", "/api/v1/auth/login"]
ADDRESSES += ["/api/v1/users/me", "/api/v1/samples", "/api/v1/samples/search"]
ADDRESSES += [f"/api/v1/samples/9{part}" for part in ("", "/restore", "/amount")]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_an_address_answers_alike_with_and_without_its_slash(
    client: FlaskClient, address: str, method: str
) -> None:
    plain, slashed = (
        client.open(address + end, method=method, headers={"X-Request-Id": "x"}, buffered=True)
        for end in ("", "/")
    )
    assert plain.status_code == slashed.status_code
    assert not 300 <= plain.status_code < 400
    assert plain.data == slashed.data
    assert plain.headers.get("Allow") == slashed.headers.get("Allow")
    assert (plain.status_code == 404) == (address.endswith("/9") and method == "GET")


@pytest.mark.parametrize(
    "path", ["//healthz", "/healthz//", "//", "/api//v1/samples/", "/api/v1/samples//"]
)
def test_a_double_slash_is_another_address(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/healthz", "GET HEAD OPTIONS"),
        ("DELETE", URL, "GET HEAD OPTIONS POST"),
        ("POST", f"{URL}1", "DELETE GET HEAD OPTIONS PATCH PUT"),
        ("GET", f"{URL}1/restore", "OPTIONS POST"),
        ("PUT", f"{URL}1/amount", "OPTIONS PATCH"),
        ("GET", "/api/v1/auth/login", "OPTIONS POST"),
        ("BREW", f"{URL}search/", "GET HEAD OPTIONS"),
        ("TRACE", URL, "GET HEAD OPTIONS POST"),
    ],
)
def test_a_method_not_allowed_names_those_that_are(
    client: FlaskClient, method: str, path: str, allowed: str
) -> None:
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.content_type) == (405, "application/problem+json")
    assert set(answer.headers["Allow"].split(", ")) >= set(allowed.split())
    assert answer.json is not None
    assert answer.json["code"] == "method_not_allowed"
    assert answer.json["detail"].startswith(f"{method} is not allowed here")


def test_options_names_the_methods_and_head_has_no_body(client: FlaskClient) -> None:
    options = client.options(URL)
    assert set(options.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}
    head, get = client.head(URL), client.get(URL)
    assert (head.data, head.content_type) == (b"", get.content_type)
    assert client.head("/nowhere").status_code == 404


def test_a_request_leaves_one_line_in_the_log(
    client: FlaskClient, signed_in: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    client.get(f"{URL}9?secret=x", headers={"X-Request-Id": "abc"})
    client.get("/api/v1/users/me", headers=signed_in)
    first, second = lines(capsys.readouterr().err, "request")
    assert first.pop("milliseconds") >= 0
    assert first.pop("time").endswith("Z")
    assert first == {
        "event": "request",
        "level": "info",
        "request_id": "abc",
        "method": "GET",
        "path": f"{URL}9",
        "operation": "samples.get_sample",
        "status": 404,
        "user_id": None,
    }
    assert (second["status"], second["operation"]) == (200, "users.get_me")
    assert isinstance(second["user_id"], int)


@pytest.mark.parametrize("host", ["", "a b", "evil.example/x", "é", "a" * 300, "[::1", "x:99999"])
def test_a_strange_host_header_is_no_bug(client: FlaskClient, host: str) -> None:
    answer = client.get("/healthz", headers={"Host": host})
    assert answer.status_code in (200, 400)
    assert answer.headers["X-Request-Id"]
