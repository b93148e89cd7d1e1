"""What browsers are told, whose pages may call, and by which names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from config import Config
from project import create_app
from project.http.app import App
from tests.conftest import SECRET

PAGE = "https://shop.example"
EVERYWHERE = ["/healthz", "/api/v1/openapi.json", "/nowhere", "/api/v1/users/me", "/docs"]


@pytest.fixture
def under(database_url: str, tmp_path: Path) -> Callable[..., FlaskClient]:
    """Calls an application under other settings; it asks its database nothing."""
    config = Config(database_url=database_url, secret_key=SECRET, data_dir=tmp_path)

    def made(**settings: Any) -> FlaskClient:
        return create_app(replace(config, ratelimit_enabled=False, **settings)).test_client()

    return made


@pytest.mark.parametrize("path", EVERYWHERE)
def test_every_answer_is_taken_for_what_it_is_and_does_nothing(app: App, path: str) -> None:
    headers = app.test_client().get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Strict-Transport-Security" not in headers
    assert len(headers.getlist("Content-Security-Policy")) == 1


def test_what_is_answered_to_somebody_is_stored_by_nobody(
    member: FlaskClient, client: FlaskClient
) -> None:
    assert member.get("/api/v1/users/me").headers["Cache-Control"] == "no-store"
    assert member.get("/healthz").headers["Cache-Control"] == "no-store"
    assert client.get("/healthz").headers["Cache-Control"] == "no-cache"
    registered = client.post("/api/v1/auth/register", json={})
    assert registered.headers["Cache-Control"] == "no-store"


def test_browsers_insist_on_https_where_that_is_set(under: Any) -> None:
    headers = under(hsts_seconds=3600).get("/healthz").headers
    assert headers["Strict-Transport-Security"] == "max-age=3600"


def test_the_pages_of_others_may_not_call(app: App) -> None:
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
    for answer in (
        app.test_client().get("/healthz", headers={"Origin": PAGE}),
        app.test_client().options("/api/v1/users/me", headers=asked),
    ):
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example.evil.example",
        "https://evilshop.example",
        "http://shop.example",
        "https://shop.example:8443",
        "https://SHOP.example",
        "https://shop.example.",
        "https://shopXexample",
        "null",
        "",
    ],
)
def test_an_origin_is_compared_letter_by_letter(under: Any, origin: str) -> None:
    client = under(cors_origins=(PAGE, "https://admin.example"))
    assert allowed(client, PAGE) == PAGE
    assert allowed(client, origin) is None


def test_a_page_that_may_call_may_send_and_read_what_the_api_needs(under: Any) -> None:
    client = under(cors_origins=(PAGE,))
    wanted = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization, if-match, idempotency-key, content-type",
    }
    asked = client.options("/api/v1/users/me", headers=wanted)
    assert asked.status_code == 200
    assert asked.headers["Access-Control-Allow-Origin"] == PAGE
    assert "PATCH" in asked.headers["Access-Control-Allow-Methods"]
    sent = asked.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "if-match", "idempotency-key", "content-type"} <= set(sent)
    assert "Access-Control-Allow-Credentials" not in asked.headers
    refused = client.get("/api/v1/users/me", headers={"Origin": PAGE})
    assert (refused.status_code, allowed(client, PAGE)) == (401, PAGE)
    assert "ETag" in refused.headers["Access-Control-Expose-Headers"]
    assert "Origin" in refused.headers["Vary"]


def test_any_page_may_call_where_that_is_set_but_without_credentials(under: Any) -> None:
    assert allowed(under(cors_origins=("*",)), "https://any.example") == "*"
    answer = under(cors_origins=(PAGE,), cors_credentials=True).get(
        "/healthz", headers={"Origin": PAGE}
    )
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"


def test_an_origin_that_is_an_address_is_no_expression(under: Any) -> None:
    client = under(cors_origins=("http://[::1]:3000",))
    assert allowed(client, "http://[::1]:3000") == "http://[::1]:3000"
    assert allowed(client, "http://1:3000") is None
    assert allowed(client, "http://[::1]:30001") is None


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("shop.example", 401),
        ("SHOP.example", 401),
        ("shop.example:8000", 401),
        ("api.shop.test", 401),
        ("evil.example", 400),
        ("shop.example.evil.example", 400),
        ("evilshop.test", 400),
        ("shop.example@evil.example", 400),
        ("", 400),
    ],
)
def test_a_request_for_another_host_is_refused(under: Any, host: str, status: int) -> None:
    client = under(trusted_hosts=("shop.example", ".shop.test"))
    answer = client.get("/api/v1/users/me", headers={"Host": host})
    assert answer.status_code == status
    assert answer.json["code"] == ("unauthorized" if status == 401 else "unknown_host")
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


def allowed(client: FlaskClient, origin: str) -> str | None:
    headers = client.get("/healthz", headers={"Origin": origin}).headers
    return headers.get("Access-Control-Allow-Origin")
