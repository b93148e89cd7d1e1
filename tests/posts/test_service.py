"""The posts service: what it asks, what it says aloud, what the database keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, func, select, text
from sqlalchemy.exc import IntegrityError, InvalidRequestError

from project.db import Event, db, transaction
from project.errors import Forbidden, NotFound, Stale, Unauthorized
from project.http.app import App
from project.posts import service
from project.posts.models import Post
from project.users import service as users
from project.users.models import User
from tests.conftest import headers_of
from tests.posts.make import LONG_AGO, make_post
from tests.users.make import make_user

URL = "/api/v1/posts/"


def kinds(statements: list[str]) -> list[str]:
    return [sql.split()[0] for sql in statements]


@pytest.mark.parametrize("published", [True, False])
def test_writing_is_one_insert(context: None, statements: list[str], published: bool) -> None:
    author = make_user()
    statements.clear()
    values = {"title": "On lamps", "content": "They burn.", "is_published": published}
    post = service.create(values, by=author)
    kept = {column.key: getattr(post, column.key) for column in Post.__table__.columns}
    missing = [name for name, value in kept.items() if value is None]
    assert missing == ([] if published else ["published_at"])
    assert post.author is author
    assert kinds(statements) == ["INSERT"]


def test_every_change_is_one_statement_behind_the_question_whose_it_is(
    context: None, statements: list[str]
) -> None:
    author = make_user()
    id = make_post(author=author).id
    changes: list[Callable[[], Post]] = [
        lambda: service.update(id, {"title": "New", "is_published": True}, {1}, by=author),
        lambda: service.unpublish(id, {2}, by=author),
        lambda: service.publish(id, by=author),
    ]
    for verb in changes:
        statements.clear()
        assert verb().author.username == author.username
        assert kinds(statements) == [
            "SELECT",
            "WITH",
        ]  # the UPDATE, and what is computed of the row


def test_a_superuser_is_told_the_author_in_no_more_statements(
    context: None, statements: list[str]
) -> None:
    superuser, author = make_user(is_superuser=True), make_user()
    id, name = make_post(author=author).id, author.username
    db.session.expunge(author)
    statements.clear()
    assert service.update(id, {"title": "New"}, by=superuser).author.username == name
    assert kinds(statements) == ["SELECT", "WITH"]  # the UPDATE, and what is computed of the row


def test_a_page_is_one_statement_however_many_authors(
    app: App, client: FlaskClient, statements: list[str]
) -> None:
    with app.app_context():
        ids = [make_post(is_published=True).id for _ in range(5)]
        db.session.commit()
    for path, asked in ((f"{ids[0]}", 1), ("", 1), ("?limit=5", 1), ("?limit=2", 2), ("?q=w", 1)):
        statements.clear()
        assert client.get(URL + path).status_code == 200
        assert len(statements) == asked, path
    page = client.get(f"{URL}?limit=2").json or {}
    statements.clear()
    client.get(f"{URL}?limit=2&cursor={page['next_cursor']}")
    assert len(statements) == 1


def test_a_page_does_not_even_ask_for_what_is_never_told(
    app: App, client: FlaskClient, statements: list[str]
) -> None:
    with app.app_context():
        make_post(is_published=True)
        db.session.commit()
    statements.clear()
    assert "@" not in client.get(URL).text
    assert "email" not in statements[0]
    assert "hashed_password" not in statements[0]


def test_writing_over_http_is_the_guard_and_the_insert(
    app: App, client: FlaskClient, statements: list[str]
) -> None:
    headers = headers_of(app)
    statements.clear()
    sent = {"title": "On lamps", "content": "They burn.", "is_published": True}
    assert client.post(URL, json=sent, headers=headers).status_code == 201
    assert kinds(statements) == ["SELECT", "INSERT", "INSERT"]  # the post, and the event


def test_an_author_that_was_not_asked_for_is_a_bug_and_no_query(context: None) -> None:
    id = make_post().id
    db.session.expunge_all()
    post = db.session.get_one(Post, id)
    with pytest.raises(InvalidRequestError, match="raise"):
        _ = post.author


def test_posts_go_with_their_author_in_the_database(context: None) -> None:
    post, other = make_post(), make_post()
    db.session.execute(
        delete(User).where(User.id == post.author_id),
        execution_options={"synchronize_session": False},
    )
    assert db.session.scalars(select(Post.id)).all() == [other.id]


def test_each_that_goes_with_its_author_is_told_of(context: None) -> None:
    root, author = make_user(is_superuser=True), make_user()
    posts = [make_post(author=author).id for _ in range(3)]
    make_post()
    with transaction():
        users.delete(author.id, by=root)
    told = db.session.execute(select(Event.type, Event.data).order_by(Event.id)).all()
    assert [tuple(each) for each in told] == [
        *(("post.deleted", {"post_id": id}) for id in posts),
        ("user.deleted", {"user_id": author.id}),
    ]


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"title": ""}, "ck_posts_title_given"),
        ({"content": ""}, "ck_posts_content_length"),
        ({"content": "x" * 50_001}, "ck_posts_content_length"),
        ({"is_published": True, "published_at": None}, "ck_posts_published_is_dated"),
        ({"is_published": False, "published_at": LONG_AGO}, "ck_posts_published_is_dated"),
    ],
)
def test_the_database_keeps_what_the_schema_promises(
    context: None, values: dict[str, Any], constraint: str
) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        make_post(**values)
    db.session.rollback()


def test_an_author_who_is_gone_is_told_to_sign_in(context: None) -> None:
    """Deleted a moment after the guard let them in."""
    with pytest.raises(Unauthorized) as caught:
        make_post(author_id=2**40)
    assert caught.value.code == "unauthorized"
    db.session.rollback()


@pytest.mark.parametrize(
    ("wrong", "refusal"),
    [
        (lambda id, author, other: service.update(id, {"title": "x"}, {7}, by=author), Stale),
        (lambda id, author, other: service.update(id, {"title": "x"}, set(), by=author), Stale),
        (lambda id, author, other: service.delete(id, {7}, by=author), Stale),
        (lambda id, author, other: service.publish(id, {7}, by=author), Stale),
        (lambda id, author, other: service.publish(id, {7}, by=other), Forbidden),
        (lambda id, author, other: service.delete(id, by=other), Forbidden),
        (lambda id, author, other: service.delete(id + 1, by=author), NotFound),
    ],
)
def test_a_no_is_raised(context: None, wrong: Any, refusal: type[Exception]) -> None:
    author = make_user()
    id = make_post(author=author, is_published=True).id
    with pytest.raises(refusal):
        wrong(id, author, make_user())


def test_the_public_list_walks_on_an_index(context: None) -> None:
    """Not over drafts, and not through a sort."""
    some = "SELECT n, 'x', n % 9 = 0, CASE n % 9 WHEN 0 THEN now() END, :id"
    columns = "title, content, is_published, published_at, author_id"
    many = text(f"INSERT INTO posts ({columns}) {some} FROM generate_series(1, 3000) n")
    db.session.execute(many, {"id": make_user().id})
    db.session.execute(text("ANALYZE posts"))
    asked = service.search(None).order_by(Post.id.desc()).limit(20)
    written = asked.compile(db.engine, compile_kwargs={"literal_binds": True})
    plan = "\n".join(db.session.scalars(text(f"EXPLAIN {written}")))
    assert "Index Scan Backward using ix_posts_published" in plan
    assert "Sort" not in plan


def test_events_are_logged_after_the_commit_and_never_with_words(
    app: App, client: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = headers_of(app)
    sent = {"title": "SECRET", "content": "SECRET"}
    capsys.readouterr()
    item = client.post(URL, json=sent, headers=headers).headers["Location"]
    id = int(item.removeprefix(URL))
    for method, path, body, event, fields in (
        ("", "", None, "created", {"post_id": id}),
        ("PATCH", "", sent, "updated", {"fields": ["content", "title"], "version": 2}),
        ("POST", "/publish", None, "published", {"post_id": id, "version": 3}),
        ("POST", "/publish", None, None, {}),
        ("POST", "/unpublish", None, "unpublished", {"post_id": id, "version": 4}),
        ("POST", "/unpublish", None, None, {}),
        ("PATCH", "", {"title": ""}, None, {}),
        ("DELETE", "", None, "deleted", {"post_id": id}),
        ("DELETE", "", None, None, {}),
    ):
        if method:
            client.open(item + path, method=method, json=body, headers=headers)
        logged = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        *events, request = logged
        assert request["event"] == "request"
        assert [line["event"] for line in events] == ([f"post.{event}"] if event else [])
        for line in events:
            assert line.items() >= fields.items()
            assert "SECRET" not in str(line)


def test_totals_count_without_the_authors(context: None) -> None:
    make_post(is_published=True)
    counted = service.search(None).with_only_columns(func.count(), maintain_column_froms=True)
    assert "JOIN" not in str(counted)
    assert db.session.scalar(counted) == 1
