"""What is answered is what the OpenAPI document says: real calls against their documentation."""

from __future__ import annotations

import json
import re
from functools import cached_property
from io import BytesIO
from typing import Any

import jsonschema_rs
import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from project.db import db
from project.http.app import App
from tests.conftest import headers_of
from tests.house.test_openapi import Operation, resolved, validator
from tests.products.make import make_product
from tests.users.make import PASSWORD

PRODUCTS = "/api/v1/products/"
SOME_ID = "01KAMZ5Q1V3N6T8W0X2Y4Z6A8B"  # the request id of the examples
POST = {"title": "On lamps", "content": "They burn."}
LAMP = {"name": "Desk lamp", "price": "29.90", "stock": 5}
ADA = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}
FORM = "multipart/form-data; boundary=x"
DRY = {"dry_run": "true"}
NEW = {"password": "battery staple horse"}
Fixed = dict[str, str]


class Documented:
    """Calls the API; every answer must be one its operation documents."""

    def __init__(self, client: FlaskClient, headers: Fixed) -> None:
        self.client, self.headers = client, {**headers, "X-Request-Id": SOME_ID}
        self.document: Any = client.get("/api/v1/openapi.json").json

    def operations(self) -> list[tuple[str, str, Operation]]:
        """Each with its method and its address."""
        return self._operations

    @cached_property
    def _operations(self) -> list[tuple[str, str, Operation]]:
        return [
            (method, path, resolved(operation, self.document))
            for path, item in self.document["paths"].items()
            for method, operation in item.items()
            if method != "parameters"
        ]

    def find(self, operation: str) -> tuple[str, str, Operation]:
        return next(found for found in self.operations() if found[2]["operationId"] == operation)

    def call(
        self, operation: str, id: int = 0, *, status: int, other_id: int = 9, **call: Any
    ) -> Any:
        """The document answered, which has the shape and headers documented for its status."""
        method, path, described = self.find(operation)
        call["headers"] = {**self.headers, **call.pop("headers", {})}
        path = re.sub(r"\{\w+_id\}", str(other_id), path).replace("{id}", str(id))
        answer = self.client.open(path, method=method.upper(), buffered=True, **call)
        assert answer.status_code == status, answer.get_data(as_text=True)
        documented = described["responses"][str(status)]
        for name, header in documented.get("headers", {}).items():
            validator(header["schema"], self.document).validate(read(answer.headers[name], header))
        if "content" not in documented:
            assert answer.get_data() == b""
            return None
        content = documented["content"][answer.mimetype]
        found = answer.json if answer.is_json else answer.text
        validator(content["schema"], self.document).validate(found)
        return found

    def refused(self, operation: str, id: int = 0, *, status: int, **call: Any) -> None:
        """Refused word for word like one of the examples."""
        problem = self.call(operation, id, status=status, **call)
        content = self.find(operation)[2]["responses"][str(status)]["content"]
        examples = [
            shown["value"] for shown in content["application/problem+json"]["examples"].values()
        ]
        assert problem in examples


def rows(content: str = "name,price\nLamp,1\n,2\n") -> dict[str, Any]:
    """A file of products."""
    return {"data": {"file": (BytesIO(content.encode()), "products.csv")}}


@pytest.fixture
def api(app: App, client: FlaskClient) -> Documented:
    """A superuser, whom every guard lets in; neither id is one of the examples."""
    with app.app_context():
        db.session.execute(text("SELECT setval('sessions_id_seq', 1000000)"))
        db.session.commit()
    return Documented(client, headers_of(app, is_superuser=True, id=10**9))


def read(header: str, described: Any) -> Any:
    return int(header) if described["schema"]["type"] == "integer" else header


def test_products_are_answered_as_documented(api: Documented) -> None:
    id = api.call("create_product", json=LAMP, status=201)["id"]
    page = api.call("list_products", query_string={"limit": 1, "sort": "-price"}, status=200)
    assert [item["id"] for item in page["items"]] == [id]
    api.call("search_products", query_string={"q": "LAMP"}, status=200)
    for format in "csv", "ndjson":
        assert "Desk lamp" in api.call(
            "export_products", query_string={"format": format}, status=200
        )
    api.call("import_products", query_string=DRY, **rows(), status=200)
    api.call("import_products", **rows(), status=202)
    api.refused("import_products", **rows("name,stock\n"), status=400)
    api.call("get_product", id, status=200)
    api.call("get_product", id, headers={"If-None-Match": f'"{id}-1"'}, status=304)
    api.call("put_product", id, json={"description": None}, status=200)
    api.call("patch_product", id, json={"price": 12.5}, status=200)
    api.call("adjust_stock", id, query_string={"quantity": -5}, status=200)
    api.call("delete_product", id, status=204)
    api.call("restore_product", id, status=200)


def test_stock_is_answered_as_documented(api: Documented) -> None:
    id = api.call("create_product", json=LAMP, status=201)["id"]
    sold = {"quantity": -2, "reason": "sold", "reference": "invoice 7", "expected_stock": 5}
    moved = api.call("create_movement", id, json=sold, status=201)
    api.call("get_movement", moved["id"], status=200)
    api.call(
        "get_movement", moved["id"], headers={"If-None-Match": f'"{moved["id"]}-1"'}, status=304
    )
    lines = [{"product_id": id, "quantity": quantity} for quantity in (-7, 9)]
    api.call("create_movements", json={"movements": lines, "reason": "moved"}, status=201)
    assert api.call("count_stock", id, json={"counted": 5}, status=200)["stock"] == 5
    api.call("count_stock", id, json={"counted": 4, "reason": None}, status=201)
    back = api.call("reverse_movement", moved["id"], status=201)
    query = {"kind": "reversal", "limit": 1, "since": back["created_at"]}
    for operation in "list_movements", "list_movements_of_product":
        page = api.call(operation, id, query_string=query, status=200)
        assert page["items"] == [back]
    for past in {}, {"at": back["created_at"]}:
        assert api.call("get_stock", id, query_string=past, status=200)["stock"] == 6


def test_stock_is_refused_in_the_documented_words(api: Documented, app: App) -> None:
    """The examples are about product 1 with five in stock, and movement 1."""
    with app.app_context():
        db.session.execute(text("ALTER SEQUENCE stock_movements_id_seq RESTART"))
        make_product(id=1)
        db.session.commit()
    move = {"quantity": 5, "reason": "came"}
    came = api.call("create_movement", 1, json=move, status=201)["id"]
    api.refused("create_movement", 1, json={**move, "quantity": -10}, status=400)
    api.refused("create_movement", 1, json={**move, "expected_stock": 6}, status=412)
    lines = {"movements": [{"product_id": 1, "quantity": -10}]}
    api.refused("create_movements", json=lines, status=400)
    api.call("reverse_movement", came, status=201)
    api.refused("reverse_movement", came, status=409)
    api.call("put_product", 1, json={"stock": 2**31 - 1}, status=200)
    api.refused("create_movement", 1, json=move, status=400)


def test_posts_are_answered_as_documented(api: Documented) -> None:
    post = api.call("create_post", json=POST, status=201)
    id, author = post["id"], post["author"]["id"]
    page = api.call("list_posts", query_string={"q": "LAMPS", "author_id": author}, status=200)
    assert page["items"] == [post]
    api.call("get_post", id, status=200)
    api.call("get_post", id, headers={"If-None-Match": f'"{id}-1"'}, status=304)
    api.call("put_post", id, json={"title": "More on lamps"}, status=200)
    api.call("patch_post", id, json={"is_published": True}, status=200)
    api.call("publish_post", id, status=200)
    api.call("unpublish_post", id, status=200)
    api.call("delete_post", id, status=204)


def test_users_with_their_posts_are_answered_as_documented(api: Documented) -> None:
    author = api.call("create_post", json=POST, status=201)["author"]["id"]
    assert "posts" not in api.call("get_user", author, status=200)
    profile = api.call("get_user", author, query_string={"include": "posts"}, status=200)
    assert profile["posts"] == api.call("list_posts_of_user", author, status=200)["items"]


def test_an_account_that_is_known_is_not_answered_again(api: Documented) -> None:
    me = api.call("get_me", status=200)["id"]
    api.call("get_user", me, headers={"If-None-Match": f'"{me}-1"'}, status=304)


def test_posts_of_others_are_refused_with_the_documented_words(
    api: Documented, signed_in: Fixed
) -> None:
    id = api.call("create_post", json={**POST, "is_published": True}, status=201)["id"]
    changes = [
        it["operationId"]
        for method, path, it in api.operations()
        if path.startswith("/api/v1/posts/{id}") and method != "get"
    ]
    assert len(changes) == 5
    for operation in changes:
        call = accepted(api.find(operation)[2])
        api.refused(operation, id, status=403, headers=signed_in, **call)
    api.refused("get_user", 10**9, status=403, headers=signed_in)


def test_webhooks_are_answered_as_documented(api: Documented) -> None:
    id = api.call("create_webhook", json={"url": "https://shop.example"}, status=201)["id"]
    page = api.call("list_webhooks", query_string={"is_active": "true"}, status=200)
    assert [item["id"] for item in page["items"]] == [id]
    api.call("get_webhook", id, status=200)
    api.call("get_webhook", id, headers={"If-None-Match": f'"{id}-1"'}, status=304)
    api.call("patch_webhook", id, json={"event_types": ["user.*"]}, status=200)
    api.call("rotate_secret", id, status=200)
    sent = api.call("test_webhook", id, status=202)["id"]
    page = api.call("list_deliveries", id, query_string={"status": "pending"}, status=200)
    assert [item["id"] for item in page["items"]] == [sent]
    api.call("get_delivery", id, other_id=sent, status=200)
    api.call("redeliver", id, other_id=sent, status=202)
    for operation in ("get_delivery", "redeliver"):
        api.refused(operation, id, status=404)
    api.call("delete_webhook", id, status=204)


def test_pages_by_cursor_are_answered_as_documented(api: Documented) -> None:
    api.call("create_user", json=ADA, status=201)
    first = api.call("list_users", query_string={"limit": 1}, status=200)
    call = {"limit": 1, "cursor": first["next_cursor"]}
    assert api.call("list_users", query_string=call, status=200)["total"] is None


def test_signing_in_and_out_is_answered_as_documented(api: Documented) -> None:
    api.call("register", json=ADA, status=201)
    credentials = {"login": ADA["email"], "password": ADA["password"]}
    pair = api.call("login", json=credentials, status=200)
    renewed = api.call("refresh", json={"refresh_token": pair["refresh_token"]}, status=200)
    api.refused("refresh", json={"refresh_token": pair["refresh_token"]}, status=409)
    api.refused("refresh", json={"refresh_token": "unknown"}, status=401)
    headers = {"Authorization": f"Bearer {renewed['access_token']}"}
    [session] = api.call("list_sessions", headers=headers, status=200)["items"]
    assert session["is_current"] is True
    api.call("delete_session", session["id"], headers=headers, status=204)
    api.call("logout", status=204)
    api.refused("logout_all", status=401)


def test_passwords_are_changed_as_documented(api: Documented) -> None:
    api.refused("change_password", json={**NEW, "current_password": "wrong"}, status=400)
    api.call("change_password", json={**NEW, "current_password": PASSWORD}, status=204)
    api.call("forgot_password", json={"email": "ada@example.org"}, status=202)
    api.refused("reset_password", json={**NEW, "token": "unknown"}, status=400)


def test_users_are_answered_as_documented(api: Documented) -> None:
    me = api.call("patch_me", json={"bio": "Counts."}, status=200)
    id = api.call("create_user", json=ADA, status=201)["id"]
    api.refused("create_user", json={**ADA, "email": "eve@example.org"}, status=400)
    api.refused("register", json={**ADA, "username": "eve"}, status=400)
    page = api.call("list_users", query_string={"q": "ADA@"}, status=200)
    assert [user["id"] for user in page["items"]] == [id]
    assert api.call("count_users", query_string={"is_active": "true"}, status=200)["count"] >= 2
    api.call("set_status", json={"ids": [id], "is_active": False}, status=200)
    api.refused("set_status", json={"ids": [me["id"]], "is_active": False}, status=409)
    api.call("patch_user", id, json={"full_name": None}, status=200)
    api.refused("patch_user", me["id"], json={"is_superuser": False}, status=409)
    api.refused("delete_user", me["id"], status=409)
    api.call("delete_user", id, status=204)


def test_registration_is_closed_in_the_documented_words(
    api: Documented, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "REGISTRATION", "closed")
    api.refused("register", json=ADA, status=403)


def test_the_rest_is_answered_as_documented(api: Documented) -> None:
    api.call("get_me", status=200)
    api.call("healthz", status=200)
    assert "_database_up 1.0" in api.call("metrics", status=200)


def test_who_may_not_watch_is_refused_with_the_documented_words(
    api: Documented, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = {"REMOTE_ADDR": "10.0.0.7"}
    api.refused("metrics", status=403, environ_base=elsewhere)
    monkeypatch.setitem(app.config, "METRICS_TOKEN", "a token")
    api.refused("metrics", status=401, environ_base=elsewhere)


def test_who_cannot_sign_in_is_refused_with_the_documented_words(api: Documented) -> None:
    api.refused("login", json={"login": "nobody", "password": PASSWORD}, status=401)


def test_a_version_that_is_stale_is_refused_in_words_of_its_kind(api: Documented) -> None:
    id = api.call("create_user", json=ADA, status=201)["id"]
    stale = api.call("delete_user", id, headers={"If-Match": '"1-0"'}, status=412)
    assert stale["detail"] == f'User {id} has changed, its ETag is "{id}-1" now; read it again'


def test_rules_refuse_with_the_documented_words(api: Documented) -> None:
    id = api.call("create_product", json=LAMP, status=201)["id"]
    taken = api.call("create_product", json=LAMP, status=400)
    assert (taken["code"], taken["conflict"]) == ("duplicate_name", {"id": id, "is_active": True})
    api.refused("adjust_stock", id, query_string={"quantity": -10}, status=400)
    api.call("put_product", id, json={"stock": 2**31 - 1}, status=200)
    api.refused("adjust_stock", id, query_string={"quantity": 1}, status=400)
    stale = api.call("delete_product", id, headers={"If-Match": '"1-0"'}, status=412)
    assert stale["detail"] == f'Product {id} has changed, its ETag is "{id}-2" now; read it again'


def test_what_is_not_there_is_refused_with_the_documented_words(api: Documented) -> None:
    found = [it["operationId"] for _, path, it in api.operations() if "{id}" in path]
    assert len(found) >= 5
    for operation in found:
        api.refused(operation, 9, status=404, **accepted(api.find(operation)[2]))


def test_strangers_are_refused_with_the_documented_words(api: Documented) -> None:
    guarded = [
        it["operationId"]
        for _, _, it in api.operations()
        if any("bearer" in way for way in it["security"])
    ]
    assert len(guarded) >= 7
    for operation in guarded:
        for header in "", "Basic eDp5", "Bearer x":
            api.refused(operation, 9, status=401, headers={"Authorization": header})


def test_unknown_fields_are_refused_with_the_documented_words(api: Documented) -> None:
    reading = [it for _, _, it in api.operations() if "requestBody" in it or asks(it)]
    assert len(reading) >= 7
    for operation in reading:
        call = accepted(operation)
        next(iter(call.values()))["colour"] = "red"
        api.refused(operation["operationId"], 9, status=422, **call)


@pytest.mark.parametrize(
    ("status", "call"),
    [
        (400, {"data": "", "content_type": "application/json"}),
        (400, {}),
        (413, {"data": " " * (1024 * 1024 + 1), "content_type": "application/json"}),
        (415, {"data": "a=b", "content_type": "application/x-www-form-urlencoded"}),
        (415, {"json": {}, "headers": {"Content-Encoding": "gzip"}}),
    ],
)
def test_bodies_are_refused_with_the_documented_words(
    api: Documented, status: int, call: Any
) -> None:
    writing = [it for _, _, it in api.operations() if "requestBody" in it]
    assert len(writing) >= 4
    for operation in writing:
        if not reads_file(operation):
            api.refused(operation["operationId"], 9, status=status, **call)


@pytest.mark.parametrize(
    ("status", "call"),
    [
        (400, {}),
        (400, {"data": b"--x\r\nname", "content_type": FORM}),
        (413, {"data": bytes(51 * 2**20), "content_type": FORM}),
        (415, {"data": "name,price", "content_type": "text/csv"}),
        (415, {"headers": {"Content-Encoding": "gzip"}}),
    ],
)
def test_files_are_refused_with_the_documented_words(
    api: Documented, status: int, call: Any
) -> None:
    taking = [it["operationId"] for _, _, it in api.operations() if reads_file(it)]
    assert taking == ["import_products"]
    for operation in taking:
        api.refused(operation, status=status, **call)


def test_the_check_itself_can_fail(api: Documented) -> None:
    api.document["components"]["schemas"]["HealthOut"]["properties"]["status"]["const"] = "fine"
    with pytest.raises(jsonschema_rs.ValidationError):
        api.call("healthz", status=200)


def asks(operation: Operation) -> bool:
    """Whether it reads its query string."""
    return any(parameter["in"] == "query" for parameter in operation["parameters"])


def reads_file(operation: Operation) -> bool:
    """Whether its body is a file and not a document."""
    return "multipart/form-data" in operation.get("requestBody", {}).get("content", {})


def accepted(operation: Operation) -> dict[str, Any]:
    """A call with the operation's own examples in its body or its query."""
    if reads_file(operation):
        [file] = operation["requestBody"]["content"]["multipart/form-data"]["example"].values()
        return {"data": {"file": (BytesIO(file.encode()), "file.csv")}}
    if "requestBody" in operation:
        example = operation["requestBody"]["content"]["application/json"]["example"]
        return {"json": json.loads(json.dumps(example))}
    shown = {
        parameter["name"]: parameter["schema"]["examples"][0]
        for parameter in operation["parameters"]
        if parameter["in"] == "query" and parameter["required"]
    }
    return {"query_string": shown}
