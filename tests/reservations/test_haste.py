"""What is held is held, however many hold, sell, commit, release and extend at the same moment."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import pytest

from project.db import transaction
from project.http.app import App
from project.reservations import service
from tests.auth.steps import at_once
from tests.house.test_start import within
from tests.products.stock.store import Store, crowd
from tests.reservations.conftest import HOLDS
from tests.server import Server


class Vault(Store):
    """A store that keeps things for people."""

    def hold(self, *ids: int, **values: Any) -> tuple[int, Any]:
        """A piece of each."""
        lines = [{"product_id": id, "quantity": 1} for id in ids]
        return self.call("POST", HOLDS, {"lines": lines, **values})

    def held(self, *ids: int, **values: Any) -> int:
        status, found = self.hold(*ids, **values)
        assert status == 201, found
        return int(found["id"])

    def then(self, id: int, verb: str) -> int:
        body = {"ttl_seconds": 900} if verb == "extend" else None
        return self.call("POST", f"{HOLDS}{id}/{verb}", body)[0]

    def batch(self, *ids: int) -> int:
        """A piece of each is sold."""
        lines = [{"product_id": id, "quantity": -1} for id in ids]
        return self.call("POST", "/stock/movements/batch", {"movements": lines})[0]

    def available(self, id: int) -> tuple[int, int]:
        found = self.call("GET", f"/products/{id}")[1]
        return found["stock"], found["available"]

    def end(self, hold: int, in_milliseconds: int) -> None:
        """Let a reservation, the only one of its product, end so soon."""
        at = f"clock_timestamp() + interval '{in_milliseconds} milliseconds'"
        self.run(
            f"WITH soon AS (SELECT {at} AS at), ends AS (UPDATE reservations SET expires_at = at"
            f" FROM soon WHERE id = {hold}), held AS (UPDATE stock_holds SET until = at FROM soon"
            f" WHERE reservation_id = {hold} RETURNING product_id)"
            " UPDATE products SET held_until = at FROM soon, held WHERE id = product_id"
        )

    def waiting(self) -> int:
        """How many wait for somebody's lock."""
        return int(self.run("SELECT count(*) FROM pg_locks WHERE NOT granted")[0][0])

    @contextmanager
    def locked(self, id: int) -> Iterator[None]:
        """A product that somebody else has locked."""
        with closing(self.server.connect()) as connection, connection.cursor() as hand:
            hand.execute("SELECT FROM products WHERE id = %s FOR NO KEY UPDATE", [id])
            yield
            connection.commit()


@pytest.fixture(scope="module")
def opened(server: Server) -> Vault:
    return Vault(server)


@pytest.fixture
def store(opened: Vault) -> Iterator[Vault]:
    """Where nothing breaks in a test, and the books of every product add up after it."""
    before = opened.faults(), opened.bugs()
    yield opened
    assert (opened.faults(), opened.bugs()) == before


@pytest.fixture
def hands() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def test_of_twenty_who_hold_the_last_piece_one_does_and_then_it_is_free_by_itself(
    store: Vault,
) -> None:
    id = store.product(1)
    answers = crowd([partial(store.hold, id, ttl_seconds=1)] * 20)
    assert Counter(status for status, _ in answers) == {201: 1, 400: 19}
    said = {answer["errors"][0]["message"] for status, answer in answers if status == 400}
    assert said == {"Insufficient stock. Current: 1, Reserved: 1, Requested: 1"}
    [made] = [answer for status, answer in answers if status == 201]
    within(10, lambda: store.available(id) == (1, 1))
    found = store.call("GET", f"{HOLDS}{made['id']}")[1]
    assert (found["status"], found["version"]) == ("expired", 1)
    answers = crowd([partial(store.hold, id)] * 20)
    assert Counter(status for status, _ in answers) == {201: 1, 400: 19}


def test_what_is_held_is_not_sold_to_others(store: Vault) -> None:
    """Of thirty pieces thirty are had by somebody, in whatever way, and one each."""
    for _ in range(3):
        id, other = store.product(30), store.product(1_000)
        ways: list[Callable[[], Any]] = [
            *[partial(store.hold, id)] * 20,
            *[partial(store.hold, other, id)] * 10,
            *[partial(store.adjust, id, -1)] * 15,
            *[partial(store.move, id, -1)] * 15,
            *[partial(store.batch, other, id)] * 20,
        ]
        random.shuffle(ways)
        answers = crowd(ways)
        told = [answer if isinstance(answer, tuple) else (answer, None) for answer in answers]
        assert Counter(status == 400 for status, _ in told) == {False: 30, True: 50}
        holds = [found["id"] for status, found in told if status == 201 and found is not None]
        assert store.available(id) == (len(holds), 0)
        assert {store.then(each, "commit") for each in holds} <= {200}
        assert store.available(id) == (0, 0)


def patient(call: Callable[[], int]) -> int:
    """What is answered by somebody who asks again when he had to wait too long."""
    while (status := call()) == 503:
        pass
    return status


SALES: dict[str, Callable[[Vault, int], Any]] = {
    "adjust": lambda store, id: store.adjust(id, -1),
    "move": lambda store, id: store.move(id, -1),
    "batch": lambda store, id: store.batch(id),
    "hold": lambda store, id: store.hold(id)[0],
}


@pytest.mark.parametrize("way", SALES)
def test_who_waited_for_somebody_to_hold_it_does_not_get_it(
    store: Vault, beside: App, hands: ThreadPoolExecutor, way: str
) -> None:
    """A sum in the statement that waited would be the sum of before it waited."""
    id = store.product(1)
    with beside.app_context(), transaction():
        service.create([{"product_id": id, "quantity": 1}], 900)
        sale = hands.submit(patient, partial(SALES[way], store, id))
        within(10, lambda: store.waiting() == 1)
    assert sale.result() == 400
    assert store.available(id) == (1, 0)


@pytest.mark.parametrize(
    "change", [{"price": 2}, {"stock": 8}, {"is_active": False}], ids=["price", "stock", "active"]
)
def test_who_waited_with_a_change_is_told_what_is_available_now(
    store: Vault, beside: App, hands: ThreadPoolExecutor, change: dict[str, Any]
) -> None:
    id = store.product(10)
    with beside.app_context(), transaction():
        service.create([{"product_id": id, "quantity": 4}], 900)
        answer = hands.submit(
            store.server.call, "PATCH", f"/api/v1/products/{id}", change, store.headers
        )
        within(10, lambda: store.waiting() == 1)
    status, product, headers = answer.result()
    assert (status, product["available"]) == (200, product["stock"] - 4)
    assert headers["ETag"] == f'"{id}-2-4"'


@pytest.mark.parametrize("way", SALES)
def test_who_waited_for_somebody_to_release_it_gets_it(
    store: Vault, beside: App, hands: ThreadPoolExecutor, way: str
) -> None:
    id = store.product(1)
    hold = store.held(id)
    with beside.app_context(), transaction():
        service.release(hold)
        sale = hands.submit(patient, partial(SALES[way], store, id))
        within(10, lambda: store.waiting() == 1)
    assert sale.result() in (200, 201)
    assert store.available(id)[1] == 0


@pytest.mark.parametrize("verb", ["commit", "extend", "release"])
def test_whose_time_was_over_while_he_waited_is_too_late(
    store: Vault, hands: ThreadPoolExecutor, verb: str
) -> None:
    """For in between somebody may have sold it: it was free."""
    id = store.product(1)
    hold = store.held(id)
    store.end(hold, in_milliseconds=500)
    over = f"SELECT expires_at < clock_timestamp() FROM reservations WHERE id = {hold}"
    with store.locked(id):
        late: Future[int] = hands.submit(patient, partial(store.then, hold, verb))
        within(10, lambda: store.waiting() == 1)
        within(10, lambda: bool(store.run(over)[0][0]))
    assert late.result() == 409
    assert store.available(id) == (1, 1)


def test_of_a_commit_and_a_release_one_is_too_late(store: Vault) -> None:
    for _ in range(8):
        id = store.product(1)
        hold = store.held(id)
        verbs = ["commit", "release"] * 4
        answers = at_once(*(partial(store.then, hold, verb) for verb in verbs))
        told = Counter(zip(verbs, answers, strict=True))
        status = store.call("GET", f"{HOLDS}{hold}")[1]["status"]
        if status == "committed":
            assert told == {("commit", 200): 1, ("commit", 409): 3, ("release", 409): 4}
        else:
            assert told == {("commit", 409): 4, ("release", 200): 4}
        assert store.available(id) == ((0, 0) if status == "committed" else (1, 1))


def test_an_extension_at_the_last_moment_is_one_or_none(store: Vault) -> None:
    """Who extends in time keeps the piece, and who buys it did so after its time."""
    outcomes: Counter[bool] = Counter()
    for left in (0, 10, 20, 40, 60, 80, 120, 9_000):
        id = store.product(1)
        hold = store.held(id)
        store.end(hold, in_milliseconds=left)
        extend, buy = partial(store.then, hold, "extend"), partial(store.adjust, id, -1)
        extended, *bought = at_once(extend, *[buy] * 7)
        assert (extended, bought.count(200)) in [(200, 0), (409, 0), (409, 1)]
        stock = 1 - bought.count(200)
        assert store.available(id) == (stock, 0 if extended == 200 else stock)
        outcomes[extended == 200] += 1
    assert outcomes[True]
    assert outcomes[False]


def test_all_that_can_happen_at_once_keeps_every_promise(store: Vault) -> None:
    chance = random.Random(5)
    ids = [store.product(40) for _ in range(4)]
    open_: list[int] = []

    def hold(some: list[int]) -> int:
        status, found = store.hold(*some)
        if status == 201:
            open_.append(found["id"])
        return status

    def close(verb: str, choice: float) -> int:
        return store.then(open_[int(choice * len(open_))], verb) if open_ else 200

    def some() -> Callable[[], int]:
        these = chance.sample(ids, chance.randint(1, 4))
        ways: list[Callable[[], int]] = [
            partial(hold, these),
            partial(hold, these),
            partial(close, chance.choice(["commit", "release", "extend"]), chance.random()),
            partial(store.batch, *these),
            partial(store.adjust, these[0], chance.choice([-1, 1])),
        ]
        return chance.choice(ways)

    answers = Counter(crowd(some() for _ in range(240)))
    assert answers.keys() <= {200, 201, 400, 409}
    assert min(answers[status] for status in (200, 201, 409)) > 5
    for id in ids:
        stock, available = store.available(id)
        assert 0 <= available <= stock
    assert {store.then(each, "commit") for each in open_} <= {200, 409}
    assert all(stock == available for stock, available in map(store.available, ids))
    assert store.server.flask("stock", "verify").returncode == 0
