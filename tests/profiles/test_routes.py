"""An account by its id, and what its owner writes."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from project.db import db
from project.http.app import App
from project.posts.models import Post
from project.users.models import User
from tests.conftest import headers_of
from tests.posts.make import make_post
from tests.users.make import make_user

URL = "/api/v1/users/"
POSTS = "/api/v1/posts/"
ME = f"{URL}me"
Headers = dict[str, str]


@pytest.fixture
def ada(app: App, isolated: None) -> Headers:
    """The headers of who writes the posts of these tests."""
    return headers_of(app, username="ada", email="ada@example.org")


@pytest.fixture
def address(client: FlaskClient, ada: Headers) -> str:
    """Where the account of Ada is."""
    return f"{URL}{found(client.get(ME, headers=ada))['id']}"


@pytest.fixture
def posts(app: App, address: str) -> list[int]:
    """The ids of Ada's posts, the oldest first: twenty-five, each fifth published."""
    with app.app_context():
        author = int(address.removeprefix(URL))
        make_post(is_published=True)
        ids = [make_post(author_id=author, is_published=n % 5 == 0).id for n in range(25)]
        make_post(is_published=True)
        db.session.commit()
    return ids


def found(answer: TestResponse, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    return dict(answer.json or {})


def ids_of(items: list[dict[str, Any]]) -> list[int]:
    return [item["id"] for item in items]


def test_one_gets_oneself_by_id_too(client: FlaskClient, ada: Headers, address: str) -> None:
    me, answer = client.get(ME, headers=ada), client.get(address, headers=ada)
    assert found(answer) == found(me)
    assert answer.headers["ETag"] == me.headers["ETag"]
    again = client.get(address, headers={**ada, "If-None-Match": me.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_a_superuser_gets_everybody(
    client: FlaskClient, superuser: Headers, ada: Headers, address: str
) -> None:
    assert found(client.get(address, headers=superuser)) == found(client.get(ME, headers=ada))


@pytest.mark.parametrize("query", ["", "?include=posts"])
def test_nobody_else_does(
    client: FlaskClient, signed_in: Headers, address: str, query: str
) -> None:
    assert found(client.get(address + query), 401)["code"] == "unauthorized"
    for other in (address, f"{URL}0", f"{URL}99999999999999999999"):
        refused = found(client.get(other + query, headers=signed_in), 403)
        assert refused["detail"] == "Only the user and superusers may do this."


@pytest.mark.parametrize("query", ["", "?include=posts"])
@pytest.mark.parametrize("id", ["0", "99999999999999999999", "9223372036854775807"])
def test_a_user_who_is_not_there_is_named(
    client: FlaskClient, superuser: Headers, id: str, query: str
) -> None:
    told = found(client.get(f"{URL}{id}{query}", headers=superuser), 404)
    assert told["detail"] == f"User with id {id} not found"


def test_the_newest_twenty_posts_come_along_on_request(
    client: FlaskClient, ada: Headers, superuser: Headers, address: str, posts: list[int]
) -> None:
    for headers in (ada, superuser):
        whole = found(client.get(f"{address}?include=posts", headers=headers))
        listed = whole.pop("posts")
        assert whole == found(client.get(address, headers=headers))
        assert ids_of(listed) == posts[:-21:-1]
        assert listed[4] == found(client.get(f"{POSTS}{posts[-5]}", headers=headers))
        assert {item["is_published"] for item in listed} == {True, False}


def test_who_wrote_nothing_has_no_posts(client: FlaskClient, ada: Headers, address: str) -> None:
    assert found(client.get(f"{address}?include=posts", headers=ada))["posts"] == []


@pytest.mark.usefixtures("posts")
def test_the_posts_are_one_statement_more(
    client: FlaskClient, ada: Headers, superuser: Headers, address: str, statements: list[str]
) -> None:
    for headers, asked in ((ada, 1), (superuser, 2)):
        for query, more in (("", 0), ("?include=posts", 1)):
            statements.clear()
            found(client.get(address + query, headers=headers))
            assert len(statements) == asked + more


@pytest.mark.parametrize(
    "query",
    ["include=", "include=user", "include=Posts", "include=posts,posts", "include=%00", "posts="],
)
def test_nothing_else_comes_along(
    client: FlaskClient, ada: Headers, address: str, query: str
) -> None:
    [error] = found(client.get(f"{address}?{query}", headers=ada), 422)["errors"]
    assert (error["in"], error["field"]) == ("query", query.partition("=")[0])
    twice = client.get(f"{address}?include=posts&include=posts", headers=ada)
    assert found(twice, 422)["errors"][0]["code"] == "repeated"


def test_the_tag_of_an_account_with_posts_tells_of_its_posts(
    client: FlaskClient, ada: Headers, address: str
) -> None:
    def tag(query: str = "?include=posts") -> str:
        return client.get(address + query, headers=ada).headers["ETag"]

    tags, plain = [tag()], tag("")
    sent = {"title": "On lamps", "content": "They burn."}
    item = client.post(POSTS, json=sent, headers=ada).headers["Location"]
    tags.append(tag())
    for method, path in (("POST", "/publish"), ("POST", "/unpublish")):
        client.open(item + path, method=method, headers=ada)
        tags.append(tag())
    held = {**ada, "If-None-Match": tags[-1]}
    assert client.get(f"{address}?include=posts", headers=held).status_code == 304
    assert client.get(address, headers=held).status_code == 200
    client.delete(item, headers=ada)
    assert tag() == tags[0]  # the very same answer
    assert len({*tags, plain}) == 5
    assert tag("") == plain


def test_a_user_s_posts_are_listed_as_far_as_the_viewer_may_see_them(
    client: FlaskClient,
    ada: Headers,
    signed_in: Headers,
    superuser: Headers,
    address: str,
    posts: list[int],
) -> None:
    for headers, seen in (({}, 5), (signed_in, 5), (ada, 25), (superuser, 25)):
        for query, total in (("", seen), ("?limit=2", seen), ("?skip=50", seen)):
            page = found(client.get(f"{address}/posts{query}", headers=headers))
            assert page["total"] == total
        listed = found(client.get(f"{address}/posts", headers=headers))["items"]
        assert ids_of(listed) == (posts if seen == 25 else posts[::5])[::-1]
        assert {item["author"]["username"] for item in listed} == {"ada"}
        assert "@" not in str(listed)


def test_a_user_s_posts_are_paged(
    client: FlaskClient, ada: Headers, address: str, posts: list[int]
) -> None:
    query, walked = {"limit": "7"}, []
    for _ in range(4):
        page = found(client.get(f"{address}/posts", query_string=query, headers=ada))
        walked += ids_of(page["items"])
        query["cursor"] = page["next_cursor"]
    assert (walked, page["next_cursor"]) == (posts[::-1], None)
    oldest = found(client.get(f"{address}/posts?sort=id&limit=1", headers=ada))
    assert ids_of(oldest["items"]) == posts[:1]


@pytest.mark.parametrize(
    "query", ["q=x", "author_id=1", "sort=content", "limit=0", "include=posts"]
)
def test_a_question_that_is_none_is_refused(client: FlaskClient, address: str, query: str) -> None:
    [error] = found(client.get(f"{address}/posts?{query}"), 422)["errors"]
    assert error["field"] == query.partition("=")[0]


def test_posts_of_nobody_are_not_an_empty_list(client: FlaskClient, superuser: Headers) -> None:
    for id in ("0", "99999999999999999999"):
        for headers in ({}, superuser):
            told = found(client.get(f"{URL}{id}/posts", headers=headers), 404)
            assert told["detail"] == f"User with id {id} not found"
    assert found(client.get(f"{URL}0/posts", headers={"Authorization": "x"}), 401)


def test_posts_stay_when_their_author_is_deactivated_and_go_with_the_account(
    app: App, client: FlaskClient
) -> None:
    with app.app_context():
        user = make_user(is_active=False)
        id = make_post(author=user, is_published=True).author_id
        db.session.commit()
    assert found(client.get(f"{URL}{id}/posts"))["total"] == 1
    with app.app_context():
        db.session.delete(db.session.get_one(User, id))
        db.session.commit()
        assert db.session.query(Post).count() == 0
    found(client.get(f"{URL}{id}/posts"), 404)


@pytest.mark.usefixtures("posts")
def test_a_user_s_posts_are_two_statements(
    client: FlaskClient, address: str, statements: list[str]
) -> None:
    found(client.get(f"{address}/posts"))
    assert len(statements) == 2
