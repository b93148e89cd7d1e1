"""Who may do what: the contract's letters as a table, tried cell by cell."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from project.db import db
from project.posts.models import Post
from tests.auth.forge import claims_of, forge
from tests.house.rooms import ROOMS
from tests.house.world import WHO, World, documented, guarded

NOBODY = {"anonymous": 401, "inactive": 401}
REFUSED: dict[str, dict[str, int]] = {  # who is refused, and how; the others may
    "P": {},
    "P, and more when signed in": {"inactive": 401},
    "P, on this machine": {},
    "P, but a draft": {"anonymous": 404, "inactive": 401, "user": 404, "former superuser": 404},
    "U": NOBODY,
    "U, of one's own": {**NOBODY, "user": 404, "former superuser": 404, "superuser": 404},
    "O": {**NOBODY, "user": 403, "former superuser": 403},
    "O, of a draft": {**NOBODY, "user": 404, "former superuser": 404},
    "S": {**NOBODY, "user": 403, "owner": 403, "former superuser": 403},
    "S, self": {**NOBODY, "user": 403, "former superuser": 403},
}
TABLE = [  # operation, the kind of thing it is about if there are several, who may
    ("healthz", "", "P"),
    ("readyz", "", "P"),
    ("metrics", "", "P, on this machine"),
    ("register", "", "P"),
    ("login", "", "P"),
    ("refresh", "", "P"),
    ("logout", "", "U"),
    ("logout_all", "", "U"),
    ("forgot_password", "", "P"),
    ("reset_password", "", "P"),
    ("list_sessions", "", "U"),
    ("delete_session", "", "U, of one's own"),
    ("get_me", "", "U"),
    ("patch_me", "", "U"),
    ("change_password", "", "U"),
    ("list_users", "", "S"),
    ("create_user", "", "S"),
    ("count_users", "", "S"),
    ("set_status", "", "S"),
    ("get_user", "", "S, self"),
    ("patch_user", "", "S"),
    ("delete_user", "", "S"),
    ("list_products", "", "P"),
    ("search_products", "", "P"),
    ("export_products", "", "U"),
    ("import_products", "", "U"),
    ("get_product", "", "P"),
    ("create_product", "", "U"),
    ("put_product", "", "U"),
    ("patch_product", "", "U"),
    ("delete_product", "", "U"),
    ("restore_product", "", "U"),
    ("adjust_stock", "", "U"),
    ("get_stock", "", "U"),
    ("list_movements_of_product", "", "U"),
    ("create_movement", "", "U"),
    ("count_stock", "", "U"),
    ("list_low_products", "", "U"),
    ("list_movements", "", "U"),
    ("get_movement", "", "U"),
    ("create_movements", "", "U"),
    ("reverse_movement", "", "U"),
    ("list_events", "", "S"),
    ("get_job", "", "O"),
    ("list_webhooks", "", "S"),
    ("create_webhook", "", "S"),
    ("get_webhook", "", "S"),
    ("patch_webhook", "", "S"),
    ("delete_webhook", "", "S"),
    ("rotate_secret", "", "S"),
    ("test_webhook", "", "S"),
    ("list_deliveries", "", "S"),
    ("get_delivery", "", "S"),
    ("redeliver", "", "S"),
    ("list_reservations", "", "U"),
    ("create_reservation", "", "U"),
    ("get_reservation", "", "U"),
    ("commit_reservation", "", "U"),
    ("release_reservation", "", "U"),
    ("extend_reservation", "", "U"),
    ("list_posts", "", "P, and more when signed in"),
    ("list_posts_of_user", "", "P, and more when signed in"),
    ("create_post", "", "U"),
    ("get_post", "published", "P, and more when signed in"),
    ("put_post", "published", "O"),
    ("patch_post", "published", "O"),
    ("delete_post", "published", "O"),
    ("publish_post", "published", "O"),
    ("unpublish_post", "published", "O"),
    ("get_post", "draft", "P, but a draft"),
    ("put_post", "draft", "O, of a draft"),
    ("patch_post", "draft", "O, of a draft"),
    ("delete_post", "draft", "O, of a draft"),
    ("publish_post", "draft", "O, of a draft"),
    ("unpublish_post", "draft", "O, of a draft"),
    *(
        (operation, "", letter)
        for room in ROOMS.values()
        for operation, letter in room.rights.items()
    ),
]
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY", "PROPFIND"]
UNDOCUMENTED = ["/api/v1/openapi.json", "/docs/", "/docs/start.js"]  # P, all of them
DETOURS = [
    "/{0}",
    "{0}//",
    "/.{0}",
    "{0}/.",
    "{0}/..",
    "{0}/x/..",
    "{0}%2f",
    "{0}%2F..",
    "{0};a=b",
    "{0}%00",
    "{0}%20",
    "{0}.json",
    "{0}%3F",
    "{0}%23",
]
IDS = [0, 10**9, 2**63 - 1, 2**63, 10**39]
QUESTIONS: list[dict[str, Any]] = [
    {},
    {"is_published": "false"},
    {"is_published": "true"},
    {"q": "draft"},
    {"q": "words"},
    {"q": "draft", "is_published": "false"},
    *({"sort": sort} for sort in ("title", "-title", "created_at", "-updated_at", "id")),
    {"limit": 1},
    {"limit": 1, "sort": "title"},
    {"skip": 1},
]
LISTS = ["list_posts", "list_posts_of_user"]
CLAIMED = {"is_superuser": True, "role": "superuser", "roles": ["admin"], "scope": "admin"}


def test_the_table_is_complete(world: World) -> None:
    told = {operation for operation, *_ in TABLE}
    assert told == set(world.operations)
    assert len({each[:2] for each in TABLE}) == len(TABLE)


def test_what_is_said_of_a_post_is_said_of_a_draft_too(world: World) -> None:
    things = Counter(operation for operation, *_ in TABLE)
    about_posts = {name for name, it in world.operations.items() if "/posts/{id}" in it["path"]}
    assert things == {name: 1 + (name in about_posts) for name in world.operations}


def test_the_table_says_what_the_document_says(world: World) -> None:
    security: dict[str, list[Any]] = {letter: [{"bearer": []}] for letter in REFUSED}
    security |= {letter: [{}, {"bearer": []}] for letter in REFUSED if letter.startswith("P,")}
    security |= {"P": [], "P, on this machine": [{}, {"metrics_token": []}]}
    for operation, _, letter in TABLE:
        documented = world.operations[operation]
        assert documented["security"] == security[letter], operation
        assert {str(status) for status in REFUSED[letter].values()} <= set(documented["responses"])


@pytest.mark.parametrize(("operation", "thing", "letter"), TABLE)
def test_those_may_who_should_and_nobody_else(
    world: World, operation: str, thing: str, letter: str
) -> None:
    may = dict.fromkeys(WHO, world.success(operation))
    for path in spellings(world.path(operation, thing)):
        tried = {who: attempted(world, operation, who, path) for who in WHO}
        assert tried == {**may, **REFUSED[letter]}, path


def attempted(world: World, operation: str, who: str, path: str) -> int:
    """The status; what reads, and what refuses, has changed nothing."""
    with world.forgotten():
        before = world.state()
        answer = world.call(operation, who, path=path)
        reads = world.method(operation) == "GET"
        if reads or answer.status_code >= 400:
            assert world.state() == before
        if answer.status_code >= 400:
            assert answer.content_type == "application/problem+json"
        if reads:
            head = world.call(operation, who, path=path, method="HEAD")
            assert (head.status_code, head.data) == (answer.status_code, b"")
    return answer.status_code


def spellings(path: str) -> list[str]:
    """With its trailing slash, and without."""
    return [path.rstrip("/"), path.rstrip("/") + "/"]


@pytest.mark.parametrize("who", WHO)
def test_no_address_has_another_method(world: World, who: str) -> None:
    allowed: dict[str, set[str]] = {path: {"GET"} for path in UNDOCUMENTED}
    for name in world.operations:
        allowed.setdefault(world.path(name), set()).add(world.method(name))
    before = world.state()
    for documented_path, methods in allowed.items():
        known = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
        for path in spellings(documented_path):
            for method in METHODS:
                if method in known - {"OPTIONS"}:
                    continue
                answer = world.client.open(path, method=method, headers=world.headers(who))
                wanted = 200 if method == "OPTIONS" else 405
                assert answer.status_code == wanted, (method, path)
                assert set(answer.headers.get("Allow", "").split(", ")) == known, (method, path)
    assert world.state() == before


@pytest.mark.parametrize("path", UNDOCUMENTED)
def test_the_document_and_its_page_are_for_everybody(world: World, path: str) -> None:
    answers = {
        world.client.get(path, headers=world.headers(who), buffered=True).data for who in WHO
    }
    assert len(answers) == 1
    assert world.client.get(path, buffered=True).status_code == 200


def test_no_header_makes_one_method_of_another(world: World) -> None:
    headers = {**world.headers("superuser"), "X-HTTP-Method-Override": "DELETE"}
    headers |= {"X-HTTP-Method": "DELETE", "X-Method-Override": "DELETE"}
    before = world.state()
    for operation in world.operations:
        if world.method(operation) == "GET":
            for method in ("GET", "HEAD", "OPTIONS"):
                answer = world.call(operation, method=method, headers=headers)
                assert answer.status_code == 200
    assert world.state() == before


@pytest.mark.parametrize("who", ["anonymous", "user"])
def test_no_spelling_of_an_address_gets_round_its_guard(world: World, who: str) -> None:
    before = world.state()
    for operation, thing, letter in TABLE:
        if who not in REFUSED[letter]:
            continue
        path = world.path(operation, thing)
        spelled = [*(detour.format(path) for detour in DETOURS), path.upper(), path.title()]
        spelled += [path.replace("/api", "/%61pi"), path.replace("/api", "/api/v1/../../api")]
        if path.rpartition("/")[2].isdigit():
            spelled.append(f"{path.rpartition('/')[0]}/000{path.rpartition('/')[2]}")
        for other in spelled:
            answer = world.call(operation, who, path=other)
            assert answer.status_code in (401, 403, 404, 405, 422), other
    assert world.state() == before


def test_nothing_but_a_token_says_who_somebody_is(world: World) -> None:
    id, token = str(world.users["superuser"]), world.tokens["superuser"]
    headers = {"X-User-Id": id, "X-User": "superuser", "X-Forwarded-User": "superuser"}
    headers |= {"Remote-User": "superuser", "X-Remote-User": "superuser", "X-Auth-Token": token}
    headers |= {"X-Access-Token": token, "Proxy-Authorization": f"Bearer {token}"}
    headers |= {"X-Original-URL": "/healthz", "X-Rewrite-URL": "/healthz", "X-Api-Key": token}
    headers |= {"X-Forwarded-For": "127.0.0.1", "X-Authorization": f"Bearer {token}"}
    headers |= {"Cookie": f"access_token_cookie={token}; session={token}; token={token}"}
    for operation, thing, letter in TABLE:
        if (refused := REFUSED[letter].get("anonymous")) is not None:
            answer = world.call(operation, path=world.path(operation, thing), headers=headers)
            assert answer.status_code == refused, operation


def test_a_token_says_who_somebody_is_and_not_what_the_person_may(world: World) -> None:
    token = forge(claims_of(world.session("user"), **CLAIMED), CLAIMED)
    headers = {"Authorization": f"Bearer {token}"}
    assert world.call("get_me", headers=headers).status_code == 200
    for operation, thing, letter in TABLE:
        if (refused := REFUSED[letter].get("user")) is not None:
            answer = world.call(operation, path=world.path(operation, thing), headers=headers)
            assert answer.status_code == refused, operation


def test_among_posts_a_draft_of_somebody_else_is_missing_like_any_other(world: World) -> None:
    draft, beyond = (str(id) for id in (world.things["draft"], world.things["draft"] + 10**6))
    conditions: list[dict[str, str]] = [
        {},
        *({"If-Match": match} for match in (f'"{draft}-1"', '"x"', "*")),
        *({"If-None-Match": match} for match in (f'"{draft}-1"', "*")),
    ]
    for operation in (name for name, thing, _ in TABLE if thing == "draft"):
        path = world.path(operation, "draft")
        for who in ("anonymous", "user"):
            for condition in conditions:
                headers = {**world.headers(who), **condition, "X-Request-Id": "r"}
                hidden = world.call(operation, path=path, headers=headers)
                path_beyond = path.replace(f"/{draft}", f"/{beyond}")
                missing = world.call(operation, path=path_beyond, headers=headers)
                assert hidden.status_code == missing.status_code
                assert hidden.text.replace(draft, beyond) == missing.text
                assert set(hidden.headers.keys()) == set(missing.headers.keys())


def test_a_version_is_told_only_to_those_who_may_change_the_thing(world: World) -> None:
    stale = {**world.headers("user"), "If-Match": '"0-0"', "If-None-Match": "*"}
    for operation, thing, letter in TABLE:
        if (refused := REFUSED[letter].get("user")) is not None:
            answer = world.call(operation, path=world.path(operation, thing), headers=stale)
            assert answer.status_code == refused, operation
            assert "ETag" not in answer.headers


@pytest.mark.parametrize("operation", ["get_user", "patch_user", "delete_user"])
def test_who_may_not_see_accounts_learns_nothing_of_their_ids(world: World, operation: str) -> None:
    headers = {**world.headers("user"), "X-Request-Id": "r"}
    there = world.call(operation, headers=headers)
    beyond = [world.call(operation, path=f"/api/v1/users/{id}", headers=headers) for id in IDS]
    assert {(answer.status_code, answer.text) for answer in (there, *beyond)} == {(403, there.text)}


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_no_list_shows_or_counts_a_draft_of_somebody_else(
    world: World, question: dict[str, Any]
) -> None:
    def asked(operation: str, who: str, more: dict[str, Any]) -> Any:
        accepts = {each["name"] for each in world.operations[operation]["parameters"]}
        asking = {name: value for name, value in more.items() if name in accepts}
        answer = world.call(operation, who, query_string=asking)
        assert answer.status_code == 200, answer.text
        return answer.json

    for operation in LISTS:
        for author in ({}, {"author_id": world.users["owner"]}):
            asking = {**question, **author}
            with world.forgotten():
                seen = [asked(operation, who, asking) for who in ("anonymous", "user")]
                with world.app.app_context():
                    db.session.delete(db.session.get_one(Post, world.things["draft"]))
                    db.session.commit()
                without = [asked(operation, who, asking) for who in ("anonymous", "user")]
                assert seen == without
            for who in ("owner", "superuser"):
                whole = {"author_id": world.users["owner"], "is_published": "false"}
                found = [post["id"] for post in asked(operation, who, whole)["items"]]
                assert world.things["draft"] in found


def test_a_cursor_of_somebody_who_sees_more_shows_no_more(world: World) -> None:
    for operation in LISTS:
        for sort in ("id", "-id", "title", "-title"):
            asking: dict[str, Any] = {"sort": sort, "limit": 1}
            first = world.call(operation, "owner", query_string=asking).json
            assert first is not None
            asking["cursor"] = first["next_cursor"]
            rest = world.call(operation, "user", query_string=asking).json
            assert rest is not None
            assert {post["is_published"] for post in rest["items"]} <= {True}


def test_the_check_itself_can_fail(world: World) -> None:
    assert attempted(world, "get_me", "anonymous", "/api/v1/users/me") == 401
    assert attempted(world, "get_me", "user", "/api/v1/users/me") == 200
    before = world.state()
    with world.forgotten():
        assert world.call("create_user").status_code == 201
        assert world.state() != before
    assert world.state() == before
    assert len(guarded(documented(world.app))) > 15
