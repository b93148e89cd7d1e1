"""The products service: what it asks, what it says aloud, what it finds."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from config import Config
from project import create_app
from project.db import db, fetch, transaction
from project.errors import NotFound, Refused, Stale
from project.http.app import App
from project.products import service
from project.products.models import Product
from project.products.stock import service as stock
from tests.conftest import SECRET, administration, cloned
from tests.products.make import make_product

URL = "/api/v1/products/"
SEARCH = f"{URL}search/"
NAMES = ["Lamp", "LAMPE", "clamp", "50% off", "50 off", "snake_case", "snakeXcase", "a\\b", "ab"]
NAMES += ["Müller", "MÜLLER", "Éclair", "éCLAIR", "Ørsted", "o", "'; DROP TABLE products --", "%"]
NAMES += ["Кружка", "КРУЖКА", "Straße", "x" * 255, "a b  c", "100%_\\"]


def search(client: FlaskClient, q: str) -> set[str]:
    answer = client.get(SEARCH, query_string={"q": q})
    assert answer.status_code == 200, answer.text
    return {item["name"] for item in (answer.json or {})["items"]}


def expected(q: str) -> set[str]:
    return {name for name in NAMES if q.strip().lower() in name.lower()}


@pytest.fixture
def shelf(app: App, isolated: None) -> None:
    with app.app_context():
        for name in NAMES:
            make_product(name=name)
        db.session.commit()


QUERIES = [
    "lamp",
    "LAMP",
    "amp",
    "%",
    "_",
    "\\",
    "50%",
    "e_c",
    "a\\b",
    "\\%",
    "%_",
    "müller",
    "MÜL",
]
QUERIES += ["éclair", "É", "ø", "кружка", "КРУЖ", "  lamp ", "b  c", "'", "o", "nothing", "x" * 255]
QUERIES += ["e\u0301clair", "\\\\", "%%", "[a-z]", ".", "*", "?", "$1", "%(name)s", "{q}", ":q"]


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("q", QUERIES, ids=lambda q: q[:12])
def test_search_finds_the_letters_themselves_in_any_case(client: FlaskClient, q: str) -> None:
    assert search(client, q) == expected(q.replace("e\u0301", "é"))


def test_an_index_changes_no_answer(postgres: str, template: str) -> None:
    """The same questions of one database, with the trigram index and without."""
    own = f"trigrams_{random.getrandbits(48):x}"
    with cloned(postgres, template, own) as url:
        with administration(url) as run:
            run(f'ALTER DATABASE "{own}" SET enable_seqscan = off')
        app = create_app(Config(database_url=url, secret_key=SECRET))
        with app.app_context(), transaction():
            for name in NAMES:
                make_product(name=name)
        client, questions = app.test_client(), [*QUERIES, "la", "mp"]
        indexed = [search(client, q) for q in questions]
        with administration(url) as run:
            run("DROP INDEX IF EXISTS ix_products_name_trgm")
        assert [search(client, q) for q in questions] == indexed
        with app.app_context():
            db.engine.dispose()


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("", "q", "required"),
        ("?q=", "q", "blank"),
        ("?q=%20%09", "q", "blank"),
        ("?q=%C2%A0", "q", "blank"),
        ("?q=%00", "q", "characters"),
        ("?q=a%00b", "q", "characters"),
        (f"?q={'x' * 256}", "q", "too_long"),
        ("?q=a&q=b", "q", "repeated"),
        ("?q=%FF", "", "invalid"),
        ("?q=%ED%A0%80", "", "invalid"),
        ("?q=a&name=b", "name", "unknown"),
        ("?q=a&price_min=x", "price_min", "invalid"),
    ],
)
def test_a_question_that_is_none_is_refused(
    client: FlaskClient, query: str, field: str, code: str
) -> None:
    answer = client.get(SEARCH + query)
    assert answer.status_code == 422
    [error] = (answer.json or {})["errors"]
    assert (error["in"], error["field"], error["code"]) == ("query", field, code)


def test_every_verb_speaks_to_the_database_once(context: None, statements: list[str]) -> None:
    id = service.create({"name": "Lamp", "price": Decimal("1.00")}).product_id
    assert [sql.split()[0] for sql in statements] == ["WITH"]
    product = fetch(Product, id)
    verbs: list[Callable[[], Any]] = [
        lambda: service.update(product.id, {"price": Decimal("2.00")}, {1}),
        lambda: stock.adjust(product.id, 5),
        lambda: service.update(product.id, {"stock": 7}, {3}),
        lambda: stock.count(product.id, 9),
        lambda: service.delete(product.id),
        lambda: service.restore(product.id),
    ]
    for verb in verbs:
        statements.clear()
        verb()
        assert [sql.split()[0] for sql in statements] == ["WITH"]
        db.session.refresh(product)
        assert product.available == product.stock
    assert (product.version, product.stock, product.is_active) == (7, 9, True)


def test_reading_asks_once_and_once_more_for_a_total_that_nobody_keeps(
    app: App, client: FlaskClient, statements: list[str]
) -> None:
    with app.app_context():
        ids = [make_product(stock=1).id for _ in range(3)]
        db.session.commit()
    for path, asked in (
        (f"{ids[0]}", 1),
        ("", 1),
        ("?limit=3", 1),
        ("?skip=1", 1),
        ("?limit=2", 1),
        ("?limit=2&active_only=true", 1),
        ("?limit=2&in_stock=true", 2),
    ):
        statements.clear()
        assert client.get(URL + path).status_code == 200
        assert len(statements) == asked, path
    page = client.get(f"{URL}?limit=1").json or {}
    statements.clear()
    client.get(f"{URL}?limit=1&cursor={page['next_cursor']}")
    assert len(statements) == 1


@pytest.mark.parametrize(
    ("wrong", "refusal"),
    [
        (lambda id: service.update(id, {"stock": 1}, {7}), Stale),
        (lambda id: service.update(id, {"stock": 1}, set()), Stale),
        (lambda id: service.delete(id, {7}), Stale),
        (lambda id: stock.adjust(id, -6), Refused),
        (lambda id: service.restore(2**70), NotFound),
    ],
)
def test_a_no_is_raised(context: None, wrong: Any, refusal: type[Exception]) -> None:
    id = make_product(stock=5).id
    with pytest.raises(refusal):
        wrong(id)


def test_events_are_logged_after_the_commit_and_only_then(
    client: FlaskClient, signed_in: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    made = client.post(URL, json={"name": "Lamp", "price": 1}, headers=signed_in)
    item = made.headers["Location"]
    for method, path, body, event, fields in (
        ("PATCH", "", {"price": 2}, "product.updated", {"fields": ["price"]}),
        ("PATCH", "/stock?quantity=3&reason=came", None, "stock.adjusted", {"balance_after": 3}),
        ("DELETE", "", None, "product.deleted", {}),
        ("DELETE", "", None, None, {}),
        ("POST", "/restore", None, "product.updated", {"fields": ["is_active"]}),
        ("POST", "/restore", None, None, {}),
        ("PATCH", "/stock?quantity=-9", None, None, {}),
        ("PATCH", "", {"name": ""}, None, {}),
    ):
        capsys.readouterr()
        client.open(item + path, method=method, json=body, headers=signed_in)
        logged = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        *events, request = logged
        assert request["event"] == "request"
        assert [line["event"] for line in events] == ([event] if event else [])
        for line in events:
            assert line.items() >= fields.items()
            assert line["request_id"] == request["request_id"]
    assert client.post(URL, json={"name": "Lamp", "price": 1}, headers=signed_in).status_code == 400
    assert "product.created" not in capsys.readouterr().err
