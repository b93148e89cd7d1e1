"""The posts section of the contract, call by call."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from project.db import db
from project.http.app import App
from project.posts.models import Post
from tests.answers import document, problem
from tests.conftest import headers_of
from tests.posts.make import LONG_AGO, make_post

URL = "/api/v1/posts/"
DECOMPOSED = "e\u0301"  # one letter é once it is normalised
MEMBERS = ["id", "title", "content", "is_published", "version", "created_at", "updated_at"]
MEMBERS += ["author", "published_at"]
LONG_AGO_SPELLED = "2020-02-29T12:00:00.000000Z"
Headers = dict[str, str]


@pytest.fixture
def author(app: App, isolated: None) -> Headers:
    """The headers of who writes the posts of these tests."""
    return headers_of(app, username="ada")


@pytest.fixture
def draft(client: FlaskClient, author: Headers) -> str:
    """The address of a draft."""
    return write(client, author).headers["Location"]


@pytest.fixture
def published(client: FlaskClient, author: Headers) -> str:
    """The address of a published post."""
    return write(client, author, is_published=True).headers["Location"]


def write(client: FlaskClient, headers: Headers, **values: Any) -> TestResponse:
    sent = {"title": "On lamps", "content": "They burn.", **values}
    answer = client.post(URL, json=sent, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer


def field(answer: TestResponse) -> tuple[str, str]:
    """The one field a 422 complains about, and the code of the complaint."""
    [error] = problem(answer, 422, "invalid_fields")["errors"]
    return error["field"], error["code"]


def test_a_written_post_is_answered_whole(client: FlaskClient, author: Headers) -> None:
    answer = write(client, author, title=" On lamps ")
    found = document(answer, 201)
    assert list(found) == MEMBERS
    assert found == {
        "id": found["id"],
        "title": "On lamps",
        "content": "They burn.",
        "is_published": False,
        "version": 1,
        "author": {"id": found["author"]["id"], "username": "ada"},
        "published_at": None,
        **{name: found[name] for name in ("created_at", "updated_at")},
    }
    assert answer.headers["Location"] == f"{URL}{found['id']}"
    assert answer.headers["ETag"] == f'"{found["id"]}-1"'
    assert document(client.get(answer.headers["Location"], headers=author)) == found


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"title": "x"}, {"title": "x"}),
        ({"title": "x" * 255}, {"title": "x" * 255}),
        ({"title": "😀" * 255}, {"title": "😀" * 255}),
        ({"title": f"  {DECOMPOSED * 255}  "}, {"title": "é" * 255}),
        ({"content": "x" * 50_000}, {"content": "x" * 50_000}),
        ({"content": "😀" * 50_000}, {"content": "😀" * 50_000}),
        ({"content": f" {DECOMPOSED * 50_000}\n"}, {"content": "é" * 50_000}),
        ({"content": "שלום\u200f\r\n\t日本 ﷺ"}, {"content": "שלום\u200f\r\n\t日本 ﷺ"}),
        ({"content": "<b>'; DROP TABLE posts --"}, {"content": "<b>'; DROP TABLE posts --"}),
        ({"is_published": False}, {"is_published": False}),
        ({"is_published": True}, {"is_published": True}),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_the_limits_themselves_are_allowed(
    client: FlaskClient, author: Headers, draft: str, sent: dict[str, Any], kept: dict[str, Any]
) -> None:
    for answer in (write(client, author, **sent), client.put(draft, json=sent, headers=author)):
        found = dict(answer.json or {})
        assert {name: found[name] for name in kept} == kept


BEYOND: list[tuple[str, Any, str]] = [
    ("title", "x" * 256, "too_long"),
    ("title", DECOMPOSED * 256, "too_long"),
    ("title", "", "blank"),
    ("title", " \t\u00a0\u3000\n", "blank"),
    ("title", None, "null"),
    ("title", 5, "invalid"),
    ("content", "x" * 50_001, "too_long"),
    ("content", "😀" * 50_001, "too_long"),
    ("content", " \n", "blank"),
    ("content", None, "null"),
    ("content", "a\x00b", "malformed"),
    ("is_published", None, "null"),
    ("is_published", "true", "invalid"),
    ("is_published", 1, "invalid"),
    ("colour", "red", "unknown"),
    ("id", 5, "unknown"),
    ("version", 5, "unknown"),
    ("author", {"id": 1, "username": "eve"}, "unknown"),
    ("author_id", 1, "unknown"),
    ("published_at", "2026-11-22T08:51:36.773621Z", "unknown"),
    ("created_at", "2026-11-22T08:51:36.773621Z", "unknown"),
    ("updated_at", "2026-11-22T08:51:36.773621Z", "unknown"),
]


@pytest.mark.parametrize(("name", "value", "code"), BEYOND, ids=lambda value: repr(value)[:20])
def test_beyond_the_limits_nothing_is_made_or_changed(
    client: FlaskClient, author: Headers, draft: str, name: str, value: Any, code: str
) -> None:
    before = document(client.get(draft, headers=author))
    for answer in (
        client.post(URL, json={"title": "x", "content": "y", name: value}, headers=author),
        client.put(draft, json={name: value}, headers=author),
        client.patch(draft, json={name: value}, headers=author),
    ):
        if code == "malformed":
            problem(answer, 400, "malformed_body")
        else:
            assert field(answer) == (name, code)
    assert document(client.get(draft, headers=author)) == before
    assert document(client.get(URL, headers=author))["total"] == 1


def test_a_post_needs_a_title_and_content(client: FlaskClient, author: Headers) -> None:
    errors = problem(client.post(URL, json={}, headers=author), 422, "invalid_fields")["errors"]
    assert {error["field"]: error["code"] for error in errors} == {
        "title": "required",
        "content": "required",
    }


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("sent", [{"title": "New"}, {"content": "New"}, {"is_published": False}])
def test_only_the_fields_sent_are_changed(
    client: FlaskClient, author: Headers, draft: str, method: str, sent: dict[str, Any]
) -> None:
    before = document(client.get(draft, headers=author))
    answer = client.open(draft, method=method, json=sent, headers=author)
    after = document(answer)
    assert after == {**before, **sent, "version": 2, "updated_at": after["updated_at"]}
    assert answer.headers["ETag"] == f'"{after["id"]}-2"'
    assert document(client.get(draft, headers=author)) == after


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_update_needs_a_field(
    client: FlaskClient, author: Headers, draft: str, method: str
) -> None:
    answer = client.open(draft, method=method, json={}, headers=author)
    assert field(answer) == ("", "required")


Call = tuple[str, str, Any]
PUBLISHING: list[Call] = [("POST", "/publish", None)]
PUBLISHING += [(method, "", {"is_published": True}) for method in ("PUT", "PATCH")]
UNPUBLISHING: list[Call] = [("POST", "/unpublish", None)]
UNPUBLISHING += [(method, "", {"is_published": False}) for method in ("PUT", "PATCH")]


@pytest.mark.parametrize(("method", "path", "body"), PUBLISHING)
def test_a_draft_that_is_published_gets_its_date(
    client: FlaskClient, author: Headers, draft: str, method: str, path: str, body: Any
) -> None:
    found = document(client.open(draft + path, method=method, json=body, headers=author))
    assert (found["is_published"], found["version"]) == (True, 2)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", found["published_at"])
    assert document(client.get(draft)) == found


def test_a_post_may_be_published_from_the_start(client: FlaskClient, author: Headers) -> None:
    found = document(write(client, author, is_published=True), 201)
    assert found["is_published"] is True
    assert found["published_at"] == found["created_at"]
    assert found["version"] == 1


@pytest.mark.parametrize(("method", "path", "body"), PUBLISHING)
def test_publishing_again_keeps_the_first_date(
    app: App, client: FlaskClient, superuser: Headers, method: str, path: str, body: Any
) -> None:
    with app.app_context():
        address = f"{URL}{make_post(is_published=True, published_at=LONG_AGO).id}"
        db.session.commit()
    found = document(client.open(address + path, method=method, json=body, headers=superuser))
    assert found["published_at"] == LONG_AGO_SPELLED
    assert found["version"] == (1 if path else 2)  # a change is counted, publishing again is none


@pytest.mark.parametrize(("method", "path", "body"), UNPUBLISHING)
def test_a_post_that_is_a_draft_again_has_no_date(
    client: FlaskClient, author: Headers, published: str, method: str, path: str, body: Any
) -> None:
    found = document(client.open(published + path, method=method, json=body, headers=author))
    assert (found["is_published"], found["published_at"], found["version"]) == (False, None, 2)
    problem(client.get(published), 404, "not_found")


def test_unpublishing_a_draft_changes_nothing(
    client: FlaskClient, author: Headers, draft: str
) -> None:
    before = document(client.get(draft, headers=author))
    answer = client.post(f"{draft}/unpublish", headers=author)
    assert document(answer) == before
    assert answer.headers["ETag"] == f'"{before["id"]}-1"'


def test_drafts_are_seen_by_their_author_and_superusers_only(
    client: FlaskClient,
    author: Headers,
    signed_in: Headers,
    superuser: Headers,
    draft: str,
    published: str,
) -> None:
    author_id = document(client.get(published))["author"]["id"]
    for headers, seen in (({}, 1), (signed_in, 1), (author, 2), (superuser, 2)):
        assert client.get(published, headers=headers).status_code == 200
        assert client.get(draft, headers=headers).status_code == (200 if seen == 2 else 404)
        for query, total in (
            ("", seen),
            ("?limit=1", seen),
            ("?skip=50", seen),
            ("?q=lamps", seen),
            (f"?author_id={author_id}", seen),
            (f"?author_id={author_id + 1000}", 0),
            ("?is_published=true", 1),
            ("?is_published=false", seen - 1),
            (f"?is_published=false&author_id={author_id}&q=BURN", seen - 1),
        ):
            page = document(client.get(f"{URL}{query}", headers=headers))
            assert page["total"] == total, (headers, query)
            if not query:
                assert len(page["items"]) == seen
                assert {item["author"]["username"] for item in page["items"]} == {"ada"}


WRITES: list[Call] = [
    ("PUT", "", {"title": "Mine"}),
    ("PATCH", "", {"is_published": True}),
    ("DELETE", "", None),
    ("POST", "/publish", None),
    ("POST", "/unpublish", None),
]
REQUESTS: list[Call] = [
    ("GET", "", None),
    ("HEAD", "", None),
    *WRITES,
    ("PATCH", "", {"title": ""}),
    ("PUT", "", {}),
]
CONDITIONS: list[Headers] = [{}]
CONDITIONS += [{"If-Match": tag} for tag in ('"ID-1"', '"ID-7"', "*", "garbage", "")]
CONDITIONS += [{"If-None-Match": tag} for tag in ('"ID-1"', 'W/"ID-1"', "*")]


def test_a_draft_of_another_is_like_a_post_that_is_not_there(
    client: FlaskClient, author: Headers, signed_in: Headers, draft: str
) -> None:
    id = draft.removeprefix(URL)

    def answers() -> list[tuple[Any, ...]]:
        return [
            (answer.status_code, answer.data, sorted(answer.headers.items()))
            for caller in (signed_in, {})
            for method, path, body in REQUESTS
            for condition in CONDITIONS
            for tags in [{name: tag.replace("ID", id) for name, tag in condition.items()}]
            for headers in [{**caller, **tags, "X-Request-Id": "one-for-all"}]
            for answer in [client.open(draft + path, method=method, json=body, headers=headers)]
        ]

    hidden = answers()
    found = problem(client.get(draft, headers=signed_in), 404, "not_found")
    assert found["detail"] == f"Post with id {id} not found"
    assert document(client.get(draft, headers=author))["version"] == 1
    assert client.delete(draft, headers=author).status_code == 204
    assert answers() == hidden
    assert {status for status, *_ in hidden} == {404, 401, 422}


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
@pytest.mark.parametrize("tag", ["", '"ID-1"', '"ID-7"', "*"])
def test_a_published_post_of_another_is_read_only(
    client: FlaskClient,
    signed_in: Headers,
    published: str,
    method: str,
    path: str,
    body: Any,
    tag: str,
) -> None:
    before = document(client.get(published, headers=signed_in))
    headers = {**signed_in, **({"If-Match": tag.replace("ID", str(before["id"]))} if tag else {})}
    answer = client.open(published + path, method=method, json=body, headers=headers)
    found = problem(answer, 403, "forbidden")
    assert found["detail"] == "Only the author and superusers may do this."
    assert document(client.get(published)) == before


def test_superusers_may_do_everything_and_authors_stay_authors(
    client: FlaskClient, author: Headers, superuser: Headers, draft: str
) -> None:
    by = document(client.get(draft, headers=author))["author"]
    for method, path, body in (
        ("PUT", "", {"title": "Better"}),
        ("PATCH", "", {"content": "Better"}),
        ("POST", "/publish", None),
        ("POST", "/publish", None),
        ("POST", "/unpublish", None),
    ):
        found = document(client.open(draft + path, method=method, json=body, headers=superuser))
        assert found["author"] == by
        assert document(client.get(draft, headers=author)) == found
    assert client.delete(draft, headers=superuser).status_code == 204
    problem(client.get(draft, headers=author), 404, "not_found")


def test_nobody_writes_without_signing_in(client: FlaskClient, published: str) -> None:
    answers = [client.post(URL, json={"title": "x", "content": "y"})]
    for method, path, body in WRITES:
        answers.append(client.open(published + path, method=method, json=body))
    for answer in answers:
        problem(answer, 401, "unauthorized")
    assert document(client.get(published))["version"] == 1


def test_who_sends_a_token_sends_a_valid_one(client: FlaskClient, published: str) -> None:
    for address in (URL, published):
        answer = client.get(address, headers={"Authorization": "Bearer x"})
        problem(answer, 401, "unauthorized")
        assert "invalid_token" in answer.headers["WWW-Authenticate"]


def test_deleting_is_for_good(
    app: App, client: FlaskClient, author: Headers, published: str
) -> None:
    answer = client.delete(published, headers=author)
    assert (answer.status_code, answer.data) == (204, b"")
    for method, path, body in [REQUESTS[0], *WRITES]:
        again = client.open(published + path, method=method, json=body, headers=author)
        problem(again, 404, "not_found")
    with app.app_context():
        assert db.session.query(Post).count() == 0


@pytest.mark.parametrize("tag", ['"ID-1"', "*", '"x", "ID-1"'])
@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_who_names_the_current_version_may_change_it(
    client: FlaskClient, author: Headers, draft: str, method: str, path: str, body: Any, tag: str
) -> None:
    headers = {**author, "If-Match": tag.replace("ID", draft.removeprefix(URL))}
    answer = client.open(draft + path, method=method, json=body, headers=headers)
    assert answer.status_code in (200, 204)


@pytest.mark.parametrize("tag", ['"ID-2"', '"ID-0"', 'W/"ID-1"', '"1"', "garbage"])
@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_who_names_another_version_changes_nothing(
    client: FlaskClient, author: Headers, draft: str, method: str, path: str, body: Any, tag: str
) -> None:
    before = document(client.get(draft, headers=author))
    headers = {**author, "If-Match": tag.replace("ID", str(before["id"]))}
    answer = client.open(draft + path, method=method, json=body, headers=headers)
    told = problem(answer, 412, "stale_version")["detail"]
    assert (
        told
        == f'Post {before["id"]} has changed, its ETag is "{before["id"]}-1" now; read it again'
    )
    assert document(client.get(draft, headers=author)) == before


def test_who_holds_this_version_is_not_sent_it_again(
    client: FlaskClient, author: Headers, draft: str
) -> None:
    tag = client.get(draft, headers=author).headers["ETag"]
    answer = client.get(draft, headers={**author, "If-None-Match": tag})
    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", tag)
    client.post(f"{draft}/publish", headers=author)
    assert client.get(draft, headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize("id", ["0", "9", "9999999999999999999999", "9223372036854775807"])
def test_what_is_not_there_is_named(client: FlaskClient, superuser: Headers, id: str) -> None:
    for method, path, body in [REQUESTS[0], *WRITES]:
        answer = client.open(f"{URL}{id}{path}", method=method, json=body, headers=superuser)
        assert problem(answer, 404, "not_found")["detail"] == f"Post with id {id} not found"


@pytest.fixture
def shelf(app: App, isolated: None) -> None:
    """Nine published posts and, among them, drafts that nobody sees."""
    with app.app_context():
        for title in [
            "Éclair",
            "apple",
            "Banana",
            "cherry",
            "äpfel",
            "APRICOT",
            "b%d",
            "b_d",
            "éa",
        ]:
            make_post(title=title, content="100%", is_published=True)
            make_post(title=title, content="100% hidden")
        db.session.commit()


@pytest.mark.usefixtures("shelf")
def test_the_newest_come_first(client: FlaskClient) -> None:
    page = document(client.get(URL))
    ids = [item["id"] for item in page["items"]]
    assert (len(ids), page["total"], page["next_cursor"]) == (9, 9, None)
    assert ids == sorted(ids, reverse=True)


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("sort", ["", "id", "title", "-title", "created_at,-id", "-updated_at"])
@pytest.mark.parametrize("limit", [1, 4])
def test_a_walk_by_cursor_sees_every_post_once(client: FlaskClient, sort: str, limit: int) -> None:
    query: dict[str, Any] = {"limit": limit, **({"sort": sort} if sort else {})}
    whole = document(client.get(URL, query_string={**query, "limit": 100}))["items"]
    page = document(client.get(URL, query_string=query))
    walked = page["items"]
    while page["next_cursor"]:
        page = document(client.get(URL, query_string={**query, "cursor": page["next_cursor"]}))
        walked += page["items"]
    assert walked == whole
    assert len(walked) == 9


@pytest.mark.usefixtures("shelf")
def test_titles_are_sorted_as_people_do(client: FlaskClient) -> None:
    items = document(client.get(f"{URL}?sort=title"))["items"]
    plain = [item["title"] for item in items if item["title"].isascii()]
    assert plain == sorted(plain, key=str.lower)


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("APPLE", 1),
        ("é", 2),
        ("É", 2),
        (DECOMPOSED, 2),
        ("%", 9),
        ("b%", 1),
        ("b_d", 1),
        ("100_", 0),
        ("\\", 0),
        ("hidden", 0),
        ("  banana ", 1),
        ("'; --", 0),
    ],
)
def test_search_finds_the_letters_themselves_in_title_or_content(
    client: FlaskClient, q: str, found: int
) -> None:
    page = document(client.get(URL, query_string={"q": q}))
    assert (page["total"], len(page["items"])) == (found, found)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("q=", "q"),
        ("q=%20", "q"),
        (f"q={'x' * 256}", "q"),
        ("author_id=0", "author_id"),
        ("author_id=9223372036854775808", "author_id"),
        ("author_id=ada", "author_id"),
        ("is_published=1", "is_published"),
        ("sort=content", "sort"),
        ("sort=published_at", "sort"),
        ("author=1", "author"),
        ("limit=101", "limit"),
    ],
)
def test_a_question_that_is_none_is_refused(client: FlaskClient, query: str, name: str) -> None:
    assert field(client.get(f"{URL}?{query}"))[0] == name
