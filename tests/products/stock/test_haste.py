"""A real server and a real PostgreSQL in haste: sixteen hands, and books that add up to the piece.

Each test has products of its own, so that all share one server.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from threading import Barrier
from typing import Any

import pytest

from config import Config
from project import create_app
from project.db import db, transaction
from project.products.stock import service
from tests.auth.steps import at_once
from tests.conftest import SECRET
from tests.products.stock.store import HANDS, Store, crowd
from tests.server import Server

MOVEMENTS = "/stock/movements/"


@pytest.fixture(scope="module")
def opened(server: Server) -> Store:
    return Store(server)


@pytest.fixture
def store(opened: Store) -> Iterator[Store]:
    """Where nothing breaks in a test, and the books of every product add up after it."""
    before = opened.faults(), opened.bugs()
    yield opened
    assert (opened.faults(), opened.bugs()) == before


def test_of_fifty_pieces_two_hundred_buyers_get_fifty(store: Store) -> None:
    """On either path, at the same time."""
    id = store.product(50)
    ways = (partial(store.move, id, -1), partial(store.adjust, id, -1))
    answers = Counter(crowd(ways * 100))
    assert answers[200] + answers[201] == 50
    assert answers[400] == 150
    assert min(answers[200], answers[201]) > 0
    assert store.stock(id) == 0
    lines = store.lines(id)
    assert [line["balance_after"] for line in lines] == [*range(50, -1, -1)]
    assert len({line["request_id"] for line in lines}) == 51
    for line in lines[::10]:
        past = store.call("GET", f"/products/{id}/stock?at={line['created_at']}")[1]
        assert past["stock"] == line["balance_after"]


def test_the_same_haste_oversells_when_read_added_and_written_back(store: Store) -> None:
    """The control: were stock moved like this, the test above would fail."""
    id = store.product(5)
    all_have_read, all_have_sold = Barrier(HANDS), Barrier(HANDS)

    def buy() -> int:
        sold = 0
        for _ in range(3):
            stock = store.stock(id)
            all_have_read.wait(10)
            if stock > 0:
                status, _ = store.call("PUT", f"/products/{id}", {"stock": stock - 1})
                sold += status == 200
            all_have_sold.wait(10)
        return sold

    assert sum(at_once(*[buy] * HANDS)) == 48  # of five
    assert store.stock(id) == 2


def test_who_says_what_he_expects_sells_nothing_twice(store: Store) -> None:
    """The same readers, who now say what they have read: of each round one gets a piece."""
    id = store.product(5)
    body = {"quantity": -1, "reason": "sold"}
    for stock in (5, 4, 3):
        buy = partial(store.call, "POST", f"/products/{id}/stock/movements")
        answers = at_once(*[partial(buy, {**body, "expected_stock": stock})] * HANDS)
        assert Counter(status for status, _ in answers) == {201: 1, 412: 15}
    assert store.stock(id) == 2


def crossing(stocks: dict[int, int], number: int) -> Iterator[list[dict[str, int]]]:
    """Batches of several products each, in orders of their own, some of them more than once.

    stocks: what is in stock, and when all are written, what will be.
    """
    chance = random.Random(11)
    for _ in range(number):
        ids = chance.sample([*stocks], chance.randint(3, 8))
        ids += chance.choices(ids, k=chance.randint(0, 3))
        lines = [{"product_id": id, "quantity": chance.choice([-3, -2, -1, 1, 2])} for id in ids]
        for line in lines:
            stocks[line["product_id"]] += line["quantity"]
        yield lines


def test_crossing_batches_are_all_done(store: Store) -> None:
    stocks = {store.product(1_000): 1_000 for _ in range(12)}
    batches = [{"movements": lines} for lines in crossing(stocks, 240)]
    write = partial(store.call, "POST", "/stock/movements/batch")
    answers = crowd(partial(write, batch) for batch in batches)
    assert Counter(status for status, _ in answers) == {201: 240}
    assert {id: store.stock(id) for id in stocks} == stocks
    for batch, (_, answer) in zip(batches, answers, strict=True):
        told = [(line["product_id"], line["quantity"]) for line in answer["movements"]]
        assert told == [(line["product_id"], line["quantity"]) for line in batch["movements"]]


def test_crossing_batches_never_wait_for_each_other_in_vain(store: Store) -> None:
    """Without the boundary, which tries again after a deadlock, and so would hide one."""
    stocks = {store.product(1_000): 1_000 for _ in range(12)}
    url = store.server.environment["DATABASE_URL"]
    app = create_app(Config(database_url=url, secret_key=SECRET, threads=HANDS))

    def write(lines: list[dict[str, int]]) -> int:
        with app.app_context(), transaction():
            return len(service.move(lines).movements)

    batches = [*crossing(stocks, 160)]
    written = crowd(partial(write, lines) for lines in batches)
    assert written == [len(lines) for lines in batches]
    assert {id: store.stock(id) for id in stocks} == stocks
    with app.app_context():
        db.engine.dispose()


def test_of_two_batches_that_do_not_both_fit_one_is_refused(store: Store) -> None:
    one, two = store.product(5), store.product(5)
    both = [{"product_id": id, "quantity": -3} for id in (one, two)]
    write = partial(store.call, "POST", "/stock/movements/batch")
    answers = at_once(*(partial(write, {"movements": both[::way]}) for way in (1, -1) * 4))
    assert Counter(status for status, _ in answers) == {201: 1, 400: 7}
    for status, answer in answers:
        if status == 400:
            assert {error["message"] for error in answer["errors"]} == {
                "Insufficient stock. Current: 2, Requested: 3"
            }
    assert (store.stock(one), store.stock(two)) == (2, 2)


@pytest.mark.parametrize("quantity", [-5, 5])
def test_of_two_reversals_at_once_one_is_too_late(store: Store, quantity: int) -> None:
    """Whether or not there would be enough for the second."""
    for _ in range(4):
        id = store.product(0 if quantity > 0 else 5)
        assert store.move(id, quantity) == 201
        last = store.lines(id)[-1]["id"]
        reverse = partial(store.call, "POST", f"/stock/movements/{last}/reverse")
        answers = at_once(*[reverse] * 4)
        assert Counter(status for status, _ in answers) == {201: 1, 409: 3}
        late = {answer["detail"] for status, answer in answers if status == 409}
        assert late == {f"Movement {last} has been reversed already"}
        assert store.stock(id) == max(0, -quantity)


def test_a_count_that_races_with_sales_leaves_the_books_exact(store: Store) -> None:
    """Whatever was sold before it is in its difference, whatever is sold after it is not."""
    id = store.product(1_000)
    found = partial(store.call, "POST", f"/products/{id}/stock/count")
    calls: list[Callable[[], Any]] = [partial(store.move, id, -1)] * 90
    calls += [partial(found, {"counted": 300 + n % 3}) for n in range(30)]
    random.Random(3).shuffle(calls)
    answers = crowd(calls)
    assert Counter(it for it in answers if isinstance(it, int)) == {201: 90}
    assert {it[0] for it in answers if isinstance(it, tuple)} <= {200, 201}
    lines = store.lines(id)
    assert Counter(line["kind"] for line in lines)["adjustment"] == 90
    assert {line["balance_after"] for line in lines if line["kind"] == "count"} <= {300, 301, 302}
    assert store.stock(id) == lines[-1]["balance_after"]


def test_all_that_can_happen_to_stock_at_once_leaves_the_books_exact(store: Store) -> None:
    chance = random.Random(5)
    ids = [store.product(20) for _ in range(3)]

    def some(id: int, n: int) -> Callable[[], Any]:
        lines = [(id, n), (chance.choice(ids), -n)]
        batch = [{"product_id": product, "quantity": quantity} for product, quantity in lines]
        path, new = f"/products/{id}", {"name": f"New {chance.random()}", "price": "1"}
        ways: list[tuple[Any, ...]] = [
            ("POST", "/products/", {**new, "stock": n + 9}),
            ("PUT", path, {"stock": n + 9}),
            ("PATCH", path, {"stock": n + 10, "price": "2"}),
            ("PATCH", f"{path}/stock?quantity={n}"),
            ("POST", f"{path}/stock/movements", {"quantity": n, "reason": "sold"}),
            ("POST", f"{path}/stock/count", {"counted": n + 9}),
            ("POST", "/stock/movements/batch", {"movements": batch}),
            ("DELETE", path),
            ("POST", f"{path}/restore"),
        ]
        return partial(store.call, *chance.choice(ways))

    answers = crowd(some(chance.choice(ids), chance.choice([-9, -4, -1, 1, 5])) for _ in range(160))
    assert {status for status, _ in answers} == {200, 201, 204, 400}


def test_of_sixteen_products_of_one_name_one_is_made_and_opened(store: Store) -> None:
    lamp = {"name": "Lamp", "price": "1", "stock": 40}
    answers = at_once(*[partial(store.call, "POST", "/products/", lamp)] * HANDS)
    assert Counter(status for status, _ in answers) == {201: 1, 400: 15}
    [id] = [found["id"] for status, found in answers if status == 201]
    for status, found in answers:
        if status == 400:
            assert found["detail"] == "Product with name 'Lamp' already exists"
            assert found["conflict"] == {"id": id, "is_active": True}
    assert [line["kind"] for line in store.lines(id)] == ["opening"]


def test_of_four_with_the_same_if_match_one_is_in_time(store: Store) -> None:
    path = f"/api/v1/products/{store.product(5)}"
    for method, body, ok in (("PUT", {"stock": 6}, 200), ("DELETE", None, 204)):
        tag = store.server.call("GET", path)[2]["ETag"]
        current = {**store.headers, "If-Match": tag}
        answers = at_once(*[partial(store.server.call, method, path, body, current)] * 4)
        assert Counter(status for status, _, _ in answers) == {ok: 1, 412: 3}


def test_a_reader_needs_one_connection_and_there_are_enough(store: Store) -> None:
    pages = [partial(store.call, "GET", f"{path}?limit=1") for path in ("/products/", MOVEMENTS)]
    assert {status for status, _ in crowd(pages * 32)} == {200}
