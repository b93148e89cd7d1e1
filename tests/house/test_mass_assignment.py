"""A body changes what its operation documents, and nothing else however it is spelled."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from project.db import db
from tests.house.rooms import ROOMS
from tests.house.test_answers import reads_file
from tests.house.test_openapi import validator
from tests.house.world import Call, World
from tests.tables import SHARED
from tests.users.make import HASHED

WRITABLE = {  # every field of every body: one more is one more thing that callers decide
    "register": "email username password full_name bio",
    "login": "login password",
    "refresh": "refresh_token",
    "forgot_password": "email",
    "reset_password": "token password",
    "patch_me": "email username full_name bio",
    "change_password": "current_password password",
    "create_user": "email username password full_name bio is_active is_superuser",
    "patch_user": "email username password full_name bio is_active is_superuser",
    "set_status": "ids is_active",
    "create_product": "name description price stock low_stock_threshold is_active",
    "put_product": "name description price stock low_stock_threshold is_active",
    "patch_product": "name description price stock low_stock_threshold is_active",
    "create_movement": "quantity reason reference expected_stock",
    "create_movements": "movements reason reference",
    "count_stock": "counted reason",
    "create_webhook": "url description event_types is_active",
    "patch_webhook": "url description event_types is_active",
    "create_reservation": "lines ttl_seconds reference",
    "extend_reservation": "ttl_seconds",
    "create_post": "title content is_published",
    "put_post": "title content is_published",
    "patch_post": "title content is_published",
    **{name: fields for room in ROOMS.values() for name, fields in room.bodies.items()},
}
LONG_AGO = "2020-02-29T12:00:00.000000Z"
TEMPTING: dict[str, Any] = {
    "id": 1,
    "version": 1_000,
    "created_at": LONG_AGO,
    "updated_at": LONG_AGO,
    "published_at": LONG_AGO,
    "refreshed_at": LONG_AGO,
    "expires_at": "2100-01-01T00:00:00.000000Z",
    "used_at": None,
    "is_superuser": True,
    "is_active": True,
    "is_admin": True,
    "is_published": True,
    "is_current": True,
    "role": "superuser",
    "roles": ["superuser"],
    "permissions": ["*"],
    "scope": "admin",
    "password": "another horse battery",
    "hashed_password": HASHED,
    "hash": "AA",
    "token": "AA",
    "refresh_token": "AA",
    "session_id": 1,
    "sessions": [],
    "user": {"id": 1, "is_superuser": True},
    "user_id": 1,
    "owner": {"id": 1},
    "owner_id": 1,
    "author": {"id": 1, "username": "owner"},
    "author_id": 1,
    "actor_id": 1,
    "by": 1,
    "username": "somebody",
    "email": "somebody@example.org",
    "posts": [],
    "stock": 1_000,
    "total": 1,
    "items": [],
    "ids": [1],
    "values": {"is_superuser": True},
    "query": {},
    "metadata": {},
    "registry": {},
    "__proto__": {"is_superuser": True},
    "__class__": "User",
    "__dict__": {"is_superuser": True},
    "_sa_instance_state": {},
    "constructor": {"prototype": {"is_superuser": True}},
    "$set": {"is_superuser": True},
    "_method": "DELETE",
    "": True,
}
SPELLINGS = [
    *("Is_Superuser", "IS_SUPERUSER", "isSuperuser", "is-superuser", "is superuser", "issuperuser"),
    *("is_superuser ", " is_superuser", "\tis_superuser", "is_superuser\n", "is_superuser\u200b"),
    *(
        "is_superuser[]",
        "user.is_superuser",
        "user[is_superuser]",
        "is_superuser__set",
        "/is_active",
    ),
    *("\uff49\uff53_superuser", "i\u0455_superuser", "is_super\u00aduser", "is%5Fsuperuser"),
    *("hashed-password", "hashedPassword", "Author_Id", "authorId", "author.id", "author__id"),
]
UPDATES = [("patch_user", "superuser"), ("patch_me", "owner"), ("patch_me", "superuser")]
OWN: list[str] = ["put_product", "patch_product", "put_post", "patch_post"]
UPDATES += [(operation, who) for operation in OWN for who in ("owner", "superuser")]
UPDATES += [("patch_webhook", "superuser")]
UPDATES += [
    (operation, who)
    for room in ROOMS.values()
    for operation in (f"put_{room.thing}", f"patch_{room.thing}")
    for who in ("owner", "superuser")
]
TABLES = {
    "webhook": "webhooks",
    "me": "users",
    "user": "users",
    "product": "products",
    "post": "posts",
    **{room.thing: table for table, room in ROOMS.items()},
}
COUNTED = {"version", "updated_at"}
FOLLOWING = {"password": "hashed_password", "is_published": "published_at"}
ENDING = {"password", "is_active", "email"}  # in their wake
ENDED = {"sessions", "refresh_tokens", "password_resets"}
CHANCE = {"id", "created_at", "updated_at", "published_at", "access_token", "refresh_token"}
CHANCE |= {"request_id", "secret", "expires_at"}
BESIDES: dict[str, str] = {"stock": "stock_movements"}  # what a field leaves behind
COUNTING = {"events", "jobs", "procrastinate_jobs", "product_counts"}
Rows = dict[tuple[str, str], dict[str, Any]]


def test_nothing_else_can_be_written(world: World) -> None:
    writable = {
        name: set(operation["requestBody"]["content"]["application/json"]["example"])
        for name, operation in world.operations.items()
        if "requestBody" in operation and not reads_file(operation)
    }
    assert writable == {name: set(fields.split()) for name, fields in WRITABLE.items()}


def test_the_documents_of_bodies_say_so_too(world: World) -> None:
    document: Any = world.client.get("/api/v1/openapi.json").json
    for name, fields in WRITABLE.items():
        schema = world.operations[name]["requestBody"]["content"]["application/json"]["schema"]
        described = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        assert set(described["properties"]) == set(fields.split())
        assert described["additionalProperties"] is False


@pytest.mark.parametrize("operation", WRITABLE)
def test_a_field_that_is_not_documented_is_refused(world: World, operation: str) -> None:
    before = world.state()
    valid = world.valid(operation)["json"]
    others = {name: TEMPTING[name] for name in TEMPTING if name not in WRITABLE[operation].split()}
    for name, value in {**others, **dict.fromkeys(SPELLINGS, True)}.items():
        answer = world.call(operation, json={**valid, name: value})
        assert answer.status_code == 422, name
        assert answer.json is not None
        wrong = {"in": "body", "field": name, "code": "unknown", "message": "Unknown field."}
        assert answer.json["errors"] == [wrong]
    assert world.state() == before


@pytest.mark.parametrize("operation", WRITABLE)
def test_null_is_refused_where_nothing_may_be_missing(world: World, operation: str) -> None:
    document: Any = world.client.get("/api/v1/openapi.json").json
    schema = world.operations[operation]["requestBody"]["content"]["application/json"]["schema"]
    described = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    before, valid = world.state(), world.valid(operation)["json"]
    for name in WRITABLE[operation].split():
        if validator(described["properties"][name], document).is_valid(None):
            continue
        answer = world.call(operation, json={**valid, name: None})
        assert answer.status_code == 422, name
        assert {"field": name, "code": "null"}.items() <= (answer.json or {})["errors"][0].items()
    assert world.state() == before


@pytest.mark.parametrize("operation", WRITABLE)
def test_a_body_of_another_shape_is_refused(world: World, operation: str) -> None:
    before = world.state()
    valid = world.valid(operation)["json"]
    objects: list[Any] = [
        {"data": valid},
        {"user": valid},
        {operation: valid},
        {**valid, **TEMPTING},
    ]
    for body in [*objects, [valid], [valid, TEMPTING], [], None, True, 1, "", "is_superuser"]:
        sent: Call = {"json": None, "data": json.dumps(body), "content_type": "application/json"}
        assert world.call(operation, **sent).status_code == 422, body
    assert world.state() == before


@pytest.mark.parametrize("operation", WRITABLE)
def test_a_query_beside_the_body_changes_nothing(world: World, operation: str) -> None:
    query = {name: str(value).lower() for name, value in TEMPTING.items() if name}
    with world.forgotten():
        plain = world.call(operation)
    before = world.state()
    with world.forgotten():
        asked = world.call(operation, query_string=query)
        if asked.status_code == 422:
            assert world.state() == before
            return
    assert (asked.status_code, answered(asked)) == (plain.status_code, answered(plain))


def answered(answer: TestResponse) -> Any:
    """The document, but for what is another every time."""
    return settled(answer.get_json(silent=True) or {})


def settled(part: Any) -> Any:
    if isinstance(part, list):
        return [settled(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {name: settled(value) for name, value in part.items() if name not in CHANCE}


@pytest.mark.parametrize(("operation", "who"), UPDATES)
def test_an_update_changes_the_fields_sent_of_one_row(
    world: World, operation: str, who: str
) -> None:
    for field, value in world.valid(operation)["json"].items():
        with world.forgotten():
            before = rows(world)
            answer = world.call(operation, who, json={field: value})
            assert answer.status_code == 200, answer.text
            changes = changed(before, rows(world))
            ended = {key for key in changes if key[0] in {*ENDED, BESIDES.get(field)}}
            assert not ended or field in {*ENDING, *BESIDES}
            whose = world.path(operation) if operation != "patch_me" else f"/{world.users[who]}"
            one = TABLES[operation.partition("_")[2]], whose.rpartition("/")[2]
            assert changes.keys() - ended <= {one}
            assert changes.get(one, set()) <= {field, FOLLOWING.get(field), *COUNTED}


def rows(world: World) -> Rows:
    """Every row of every table, but for what each change tells of itself."""
    found: Rows = {}
    for name, table in db.metadata.tables.items():
        if name not in {*SHARED, *COUNTING}:
            keys = [column.name for column in table.primary_key.columns]
            for (row,) in world.connection.execute(text(f"SELECT to_jsonb(t) FROM {name} AS t")):
                found[name, ",".join(str(row[key]) for key in keys)] = row
    return found


def changed(before: Rows, after: Rows) -> dict[tuple[str, str], set[str]]:
    """The columns of each row that is another now; all of one that came or went."""
    return {
        key: columns
        for key in before.keys() | after.keys()
        if (columns := differing(before.get(key, {}), after.get(key, {})))
    }


def differing(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    return {name for name in one | other if one.get(name) != other.get(name)}


@pytest.mark.parametrize("who", ["user", "owner", "superuser"])
def test_whoever_writes_a_post_is_its_author(world: World, who: str) -> None:
    answer = world.call("create_post", who)
    assert answer.json is not None
    assert answer.json["author"]["id"] == world.users[who]
    for operation in ("put_post", "patch_post", "publish_post", "unpublish_post"):
        if who != "user":
            changed_by = world.call(operation, who).json
            assert changed_by is not None
            assert changed_by["author"]["id"] == world.users["owner"]


def test_who_registers_is_nobody_special(world: World) -> None:
    for who in ("anonymous", "superuser"):
        with world.forgotten():
            made = world.call("register", who).json
            assert made is not None
            assert (made["is_superuser"], made["is_active"], made["version"]) == (False, True, 1)


def test_the_check_itself_can_fail(world: World) -> None:
    before = rows(world)
    assert {table for table, _ in before} >= {"users", "sessions"}
    assert world.call("patch_user", json={"bio": "New.", "full_name": "New"}).status_code == 200
    changes = changed(before, rows(world))
    wanted = {"bio", "full_name", "version"}
    assert {key: seen - {"updated_at"} for key, seen in changes.items()} == {
        ("users", str(world.users["owner"])): wanted
    }
