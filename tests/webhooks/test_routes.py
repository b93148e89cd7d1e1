"""Webhooks, call by call."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text
from werkzeug.test import TestResponse

from project.db import Event, db
from project.http.app import App
from project.users.models import User
from project.webhooks.models import Delivery, WebhookSecret
from tests.answers import document, problem
from tests.conftest import headers_of
from tests.webhooks.make import make_webhook

URL = "/api/v1/webhooks/"
SHOP = "https://shop.example/hook?of=lamps"
MEMBERS = ["id", "url", "description", "event_types", "is_active", "version", "created_at"]
MEMBERS += ["updated_at", "disabled_at", "disabled_reason", "creator_id"]
Headers = dict[str, str]


def create(client: FlaskClient, headers: Headers, **values: Any) -> dict[str, Any]:
    answer = client.post(URL, json={"url": SHOP, **values}, headers=headers)
    return {**document(answer, 201), "at": answer.headers["Location"]}


def field(answer: TestResponse) -> tuple[str, str]:
    """The one field a 422 complains about, and the code of the complaint."""
    [error] = problem(answer, 422, "invalid_fields")["errors"]
    return error["field"], error["code"]


def test_a_webhook_is_answered_whole_with_its_secret(
    client: FlaskClient, app: App, isolated: None
) -> None:
    ada = headers_of(app, username="ada", is_superuser=True)
    answer = client.post(URL, json={"url": SHOP}, headers=ada)
    made = document(answer, 201)
    assert list(made) == [*MEMBERS, "secret"]
    assert (made["url"], made["event_types"], made["is_active"]) == (SHOP, None, True)
    with app.app_context():
        assert made["creator_id"] == db.session.scalar(
            select(User.id).where(User.username == "ada")
        )
    assert answer.headers["ETag"] == f'"{made["id"]}-1"'
    assert answer.headers["Location"] == f"{URL}{made['id']}"


def test_the_secret_is_as_standard_webhooks_writes_it(
    client: FlaskClient, superuser: Headers
) -> None:
    secrets = {create(client, superuser)["secret"] for _ in range(3)}
    assert len(secrets) == 3
    for secret in secrets:
        assert secret.startswith("whsec_")
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


def test_the_secret_is_never_answered_again(client: FlaskClient, superuser: Headers) -> None:
    made = create(client, superuser)
    headers = {**superuser, "Idempotency-Key": "once"}
    sent = [
        client.get(made["at"], headers=superuser),
        client.get(URL, headers=superuser),
        client.patch(made["at"], json={"description": "x"}, headers=headers),
        client.post(f"{made['at']}/test", headers=headers),
        client.get(f"{made['at']}/deliveries/", headers=superuser),
        client.patch(made["at"], json={"url": made["secret"]}, headers=superuser),
    ]
    for answer in sent:
        assert made["secret"].removeprefix("whsec_") not in answer.text
        assert '"secret"' not in answer.text


@pytest.mark.parametrize("what", ["create", "rotate"])
def test_an_answer_with_a_secret_is_stored_nowhere_but_where_it_signs(
    client: FlaskClient, app: App, superuser: Headers, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = {**superuser, "Idempotency-Key": "key"}
    secret = create(client, headers)["secret"]
    if what == "rotate":
        at = create(client, superuser)["at"]
        secret = document(client.post(f"{at}/rotate-secret", headers=headers))["secret"]
    with app.app_context():
        for name in db.metadata.tables.keys() - {"webhook_secrets"}:
            rows = db.session.execute(text(f"SELECT to_jsonb(t)::text FROM {name} AS t")).scalars()
            spelled = (secret[6:], secret[6:].encode().hex())  # as text, and in bytes
            assert not any(each in row for row in rows for each in spelled), name
        kept = db.session.scalars(select(WebhookSecret.secret)).all()
    assert secret in kept
    assert secret[6:] not in capsys.readouterr().err


def test_a_secret_that_is_renewed_is_another(client: FlaskClient, superuser: Headers) -> None:
    made = create(client, superuser)
    answer = client.post(f"{made['at']}/rotate-secret", headers=superuser)
    renewed = document(answer)
    assert list(renewed) == [*MEMBERS, "secret"]
    assert renewed["secret"] != made["secret"]
    assert answer.headers["ETag"] == f'"{made["id"]}-2"'
    stale = client.post(
        f"{made['at']}/rotate-secret", headers={**superuser, "If-Match": f'"{made["id"]}-1"'}
    )
    problem(stale, 412, "stale_version")


def test_webhooks_are_listed_and_told_apart(client: FlaskClient, superuser: Headers) -> None:
    on, off = (create(client, superuser, is_active=active)["id"] for active in (True, False))
    for query, found in (("", [on, off]), ("?is_active=true", [on]), ("?is_active=false", [off])):
        page = document(client.get(URL + query, headers=superuser))
        assert [item["id"] for item in page["items"]] == found
        assert page["total"] == len(found)


def test_only_the_fields_sent_are_changed(client: FlaskClient, superuser: Headers) -> None:
    made = create(client, superuser, description="x", event_types=["lamp.low"])
    headers = {**superuser, "If-Match": f'"{made["id"]}-1"'}
    changed = document(client.patch(made["at"], json={"description": None}, headers=headers))
    assert (changed["description"], changed["version"]) == (None, 2)
    assert (changed["url"], changed["event_types"]) == (SHOP, ["lamp.low"])
    every = document(client.patch(made["at"], json={"event_types": None}, headers=superuser))
    assert every["event_types"] is None
    problem(client.patch(made["at"], json={"url": SHOP}, headers=headers), 412, "stale_version")


def test_a_deleted_webhook_is_gone_with_all_that_is_its_own(
    client: FlaskClient, app: App, superuser: Headers
) -> None:
    at = create(client, superuser)["at"]
    document(client.post(f"{at}/test", headers=superuser), 202)
    stale = {**superuser, "If-Match": '"1-9"'}
    problem(client.delete(at, headers=stale), 412, "stale_version")
    assert client.delete(at, headers=superuser).status_code == 204
    problem(client.get(at, headers=superuser), 404, "not_found")
    problem(client.delete(at, headers=superuser), 404, "not_found")
    with app.app_context():
        for model in (Delivery, WebhookSecret):
            assert db.session.scalars(select(model)).all() == []


def test_types_are_told_once_each(client: FlaskClient, superuser: Headers) -> None:
    made = create(client, superuser, event_types=["lamp.low", "user.*", "lamp.low"])
    assert made["event_types"] == ["lamp.low", "user.*"]


@pytest.mark.parametrize(
    ("types", "code"),
    [
        ([], "length"),
        (["a.b"] * 51, "length"),
        ("lamp.low", "invalid"),
        ({"a": 1}, "invalid"),
        (["lamp"], "type"),
        (["*"], "type"),
        (["lamp*"], "type"),
        (["lamp.*.low"], "type"),
        (["Lamp.low"], "type"),
        (["lamp.low "], "type"),
        ([f"a.{'b' * 49}"], "type"),
        ([1], "type"),
        ([None], "type"),
    ],
)
def test_what_is_no_list_of_types_is_refused(
    client: FlaskClient, superuser: Headers, types: Any, code: str
) -> None:
    answer = client.post(URL, json={"url": SHOP, "event_types": types}, headers=superuser)
    assert field(answer) == ("event_types", code)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://shop.example/", "pattern"),
        ("https://user:password@shop.example/", "pattern"),
        ("https://shop.example/#fragment", "pattern"),
        (f"https://shop.example/{'x' * 1980}", "too_long"),
        ("", "blank"),
        (None, "null"),
        (1, "invalid"),
        ("http://127.0.0.1/", "not_public"),
        ("http://2130706433/", "not_public"),
        ("http://localhost:8000/", "not_public"),
        ("http://[::ffff:10.0.0.1]/", "not_public"),
        ("http://169.254.169.254/latest/meta-data/", "not_public"),
    ],
)
def test_an_address_that_cannot_be_is_refused(
    client: FlaskClient, superuser: Headers, url: Any, code: str
) -> None:
    assert field(client.post(URL, json={"url": url}, headers=superuser)) == ("url", code)
    at = create(client, superuser)["at"]
    assert field(client.patch(at, json={"url": url}, headers=superuser)) == ("url", code)


def test_an_address_that_is_not_public_is_refused_in_one_sentence(
    client: FlaskClient, superuser: Headers
) -> None:
    answer = client.post(URL, json={"url": "http://127.1/"}, headers=superuser)
    sentence = "url: Must not lead to a private, loopback or otherwise special address."
    assert problem(answer, 422, "invalid_fields")["detail"] == sentence


def test_a_setting_allows_addresses_that_are_not_public(
    client: FlaskClient, app: App, superuser: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "WEBHOOK_PRIVATE_ADDRESSES", True)
    assert create(client, superuser, url="http://127.0.0.1:9/")["url"] == "http://127.0.0.1:9/"


def test_a_webhook_outlives_its_creator(client: FlaskClient, app: App, superuser: Headers) -> None:
    headers = headers_of(app, username="ada", is_superuser=True)
    made = create(client, headers)
    client.delete(f"/api/v1/users/{made['creator_id']}", headers=superuser)
    assert document(client.get(made["at"], headers=superuser))["creator_id"] is None


def test_a_test_is_queued_and_can_be_looked_at(
    client: FlaskClient, app: App, superuser: Headers
) -> None:
    made = create(client, superuser, is_active=False, event_types=["lamp.low"])
    answer = client.post(f"{made['at']}/test", headers=superuser)
    queued = document(answer, 202)
    assert answer.headers["Location"] == f"{made['at']}/deliveries/{queued['id']}"
    assert (queued["event_type"], queued["status"], queued["attempts"]) == (
        *("webhook.test", "pending", 0),
    )
    assert document(client.get(answer.headers["Location"], headers=superuser)) == queued
    with app.app_context():
        event = db.session.get_one(Event, queued["event_id"])
        assert event.dispatched  # so nobody else hears of it
        assert event.data == {"webhook_id": made["id"]}


def test_a_test_under_a_key_is_sent_once(client: FlaskClient, app: App, superuser: Headers) -> None:
    at = create(client, superuser)["at"]
    headers = {**superuser, "Idempotency-Key": "key"}
    first, again = (client.post(f"{at}/test", headers=headers) for _ in range(2))
    assert first.json == again.json
    assert again.headers["Idempotent-Replayed"] == "true"
    assert document(client.get(f"{at}/deliveries/", headers=superuser))["total"] == 1


def test_deliveries_are_listed_newest_first_and_told_apart(
    client: FlaskClient, app: App, superuser: Headers
) -> None:
    at, other = (create(client, superuser)["at"] for _ in range(2))
    ids = [client.post(f"{at}/test", headers=superuser).json["id"] for _ in range(3)]  # type: ignore[index]  # an answer has one
    client.post(f"{other}/test", headers=superuser)
    for query, found in (
        ("", ids[::-1]),
        ("?status=pending&event_type=webhook.test", ids[::-1]),
        ("?status=delivered", []),
        ("?event_type=lamp.low", []),
        ("?sort=id&limit=1", ids[:1]),
    ):
        page = document(client.get(f"{at}/deliveries/{query}", headers=superuser))
        assert [item["id"] for item in page["items"]] == found, query
    wrong = client.get(f"{at}/deliveries/?status=lost", headers=superuser)
    assert field(wrong) == ("status", "choice")


def test_a_delivery_is_found_under_its_own_webhook_only(
    client: FlaskClient, superuser: Headers
) -> None:
    at, other = (create(client, superuser)["at"] for _ in range(2))
    id = document(client.post(f"{at}/test", headers=superuser), 202)["id"]
    for method, path in (("GET", ""), ("POST", "/redeliver")):
        answer = client.open(f"{other}/deliveries/{id}{path}", method=method, headers=superuser)
        assert problem(answer, 404, "not_found")["detail"] == f"Delivery with id {id} not found"
    missing = client.get(f"{URL}999999999/deliveries/", headers=superuser)
    assert problem(missing, 404, "not_found")["detail"] == "Webhook with id 999999999 not found"


def test_lists_ask_once_for_all_their_rows(
    client: FlaskClient, app: App, superuser: Headers, statements: list[str]
) -> None:
    with app.app_context():
        id = make_webhook().id
        db.session.commit()
    for _ in range(3):
        client.post(f"{URL}{id}/test", headers=superuser)
    statements.clear()
    document(client.get(f"{URL}{id}/deliveries/", headers=superuser))
    assert len(statements) == 3  # who asks, whether the webhook is there, its deliveries
