"""Stock: exact sentences, and nothing sold twice by a real server under real haste."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from threading import Barrier
from typing import Any

import psycopg2
import pytest
from flask.testing import FlaskClient

from project.db import db
from project.http.app import App
from tests.products.make import make_product
from tests.server import Server

URL = "/api/v1/products/"


@pytest.fixture
def lamp(app: App, isolated: None) -> str:
    """The address of a product with five in stock."""
    with app.app_context():
        id = make_product(stock=5).id
        db.session.commit()
    return f"{URL}{id}"


def together(work: Callable[[], Any], hands: int = 16) -> list[Any]:
    """What so many threads get that start at the same moment."""
    start = Barrier(hands)

    def run(_: int) -> Any:
        start.wait(10)
        return work()

    with ThreadPoolExecutor(hands) as pool:
        return list(pool.map(run, range(hands)))


@pytest.mark.parametrize(("quantity", "stock"), [(3, 8), (-5, 0), (1_000_000, 1_000_005), (-1, 4)])
def test_a_quantity_is_added_and_the_product_answered(
    client: FlaskClient, signed_in: dict[str, str], lamp: str, quantity: int, stock: int
) -> None:
    answer = client.patch(f"{lamp}/stock?quantity={quantity}&reason=%20sold ", headers=signed_in)
    assert answer.status_code == 200
    assert answer.json is not None
    assert (answer.json["stock"], answer.json["version"]) == (stock, 2)
    assert answer.headers["ETag"] == f'"{answer.json["id"]}-2"'
    assert client.get(lamp).json == answer.json


@pytest.mark.parametrize(
    ("quantity", "detail", "code"),
    [
        (-10, "Insufficient stock. Current: 5, Requested: 10", "insufficient_stock"),
        (-6, "Insufficient stock. Current: 5, Requested: 6", "insufficient_stock"),
        (-1_000_000, "Insufficient stock. Current: 5, Requested: 1000000", "insufficient_stock"),
    ],
)
def test_what_is_not_there_cannot_be_taken(
    client: FlaskClient, signed_in: dict[str, str], lamp: str, quantity: int, detail: str, code: str
) -> None:
    answer = client.patch(f"{lamp}/stock?quantity={quantity}", headers=signed_in)
    assert answer.status_code == 400
    assert answer.json == {
        "type": "/problems/insufficient-stock",
        "title": "Insufficient stock",
        "status": 400,
        "detail": detail,
        "code": code,
        "request_id": answer.headers["X-Request-Id"],
    }
    after = client.get(lamp).json
    assert after is not None
    assert (after["stock"], after["version"]) == (5, 1)


def test_stock_never_exceeds_its_column(
    client: FlaskClient, signed_in: dict[str, str], lamp: str
) -> None:
    client.put(lamp, json={"stock": 2147483646}, headers=signed_in)
    assert client.patch(f"{lamp}/stock?quantity=1", headers=signed_in).status_code == 200
    answer = client.patch(f"{lamp}/stock?quantity=1", headers=signed_in)
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["detail"] == "Stock would exceed 2147483647"


WRONG = ["", "quantity=", "quantity=0", "quantity=-0", "quantity=1000001", "quantity=-1000001"]
WRONG += ["quantity=1.0", "quantity=1e3", "quantity=abc", "quantity=1_000", "quantity=٣"]
WRONG += ["quantity=%2B5", "quantity=+5", "quantity=5%00", "quantity=1&quantity=2", "quantity=true"]
WRONG += ["quantity=99999999999999999999999", f"quantity=1&reason={'x' * 256}", "quantity=1&why=x"]
WRONG += ["quantity=1&reason=%00", "quantity=1&reason=%FF", "quantity=0x10", "quantity=- 1"]


@pytest.mark.parametrize("query", WRONG, ids=lambda query: query[:30])
def test_a_wrong_quantity_is_refused_and_moves_nothing(
    client: FlaskClient, signed_in: dict[str, str], lamp: str, query: str
) -> None:
    answer = client.patch(f"{lamp}/stock?{query}", headers=signed_in)
    assert answer.status_code == 422
    assert answer.json is not None
    assert {error["in"] for error in answer.json["errors"]} == {"query"}
    after = client.get(lamp).json
    assert after is not None
    assert after["stock"] == 5


def test_a_real_server_in_haste_keeps_its_word(server: Server) -> None:
    """One gunicorn for all: duplicates, the last pieces, full pages, one If-Match for four."""
    headers = server.sign_in()

    lamp = {"name": "Lamp", "price": "1", "stock": 40}
    made = together(lambda: server.call("POST", URL, lamp, headers))
    assert Counter(status for status, _, _ in made) == {201: 1, 400: 15}
    [(id, address)] = [(body["id"], sent["Location"]) for code, body, sent in made if code == 201]
    for status, body, _ in made:
        if status == 400:
            assert body["detail"] == "Product with name 'Lamp' already exists"
            assert body["conflict"] == {"id": id, "is_active": True}

    def buy() -> list[int]:
        taken = f"{address}/stock?quantity=-3"
        return [server.call("PATCH", taken, headers=headers)[0] for _ in range(4)]

    answers = Counter(status for statuses in together(buy) for status in statuses)
    assert answers == {200: 13, 400: 51}
    assert server.call("GET", address)[1]["stock"] == 1

    def lend() -> list[int]:
        moves = [f"{address}/stock?quantity={quantity}" for quantity in (2, -2)]
        return [server.call("PATCH", move, headers=headers)[0] for move in moves]

    assert together(lend) == [[200, 200]] * 16
    assert server.call("GET", address)[1]["stock"] == 1

    pages = together(lambda: [server.call("GET", f"{URL}?limit=1")[0] for _ in range(4)])
    assert pages == [[200] * 4] * 16  # a reader needs one connection, and there are enough

    for method, body, ok in (("PUT", {"price": "2"}, 200), ("DELETE", None, 204)):
        current = {**headers, "If-Match": server.call("GET", address)[2]["ETag"]}
        change = partial(server.call, method, address, body, current)
        assert Counter(status for status, _, _ in together(change, 4)) == {ok: 1, 412: 3}


def test_the_same_haste_oversells_when_read_added_and_written_back(database_url: str) -> None:
    """The control: were stock moved like this, the test above would fail."""
    plain = database_url.replace("postgresql+psycopg2", "postgresql")
    with closing(psycopg2.connect(plain)) as keeper, keeper.cursor() as cursor:
        keeper.autocommit = True
        cursor.execute("CREATE TABLE IF NOT EXISTS naive AS SELECT 10 AS stock")
        reading = Barrier(16)

        def buy() -> bool:
            with closing(psycopg2.connect(plain)) as buyer, buyer, buyer.cursor() as hand:
                hand.execute("SELECT stock FROM naive")
                [stock] = hand.fetchone() or [0]
                reading.wait(10)
                if stock > 0:
                    hand.execute("UPDATE naive SET stock = %s", [stock - 1])
                return bool(stock > 0)

        sold = sum(together(buy))
        cursor.execute("SELECT stock FROM naive")
        left = cursor.fetchone()
        cursor.execute("DROP TABLE naive")
    assert sold == 16  # of ten
    assert left == (9,)
