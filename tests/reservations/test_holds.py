"""What is held is nobody else's: on every path that takes, and in every answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.answers import document, problem
from tests.products.stock.books import FAULTS
from tests.reservations.conftest import HOLDS, Counter

Way = Callable[[Counter, int, int], Any]

# Each way to take from a stock, and what it answers where it could.
TAKING: dict[str, tuple[Way, int]] = {
    "adjust": (lambda shop, id, n: shop.call("PATCH", f"/products/{id}/stock?quantity=-{n}"), 200),
    "move": (lambda shop, id, n: shop.move(id, -n), 201),
    "move as expected": (lambda shop, id, n: shop.move(id, -n, expected_stock=10), 201),
    "batch": (lambda shop, id, n: shop.batch((id, -n)), 201),
    "batch in lines": (lambda shop, id, n: shop.batch((id, -n - 2), (id, 2)), 201),
    "reverse": (lambda shop, id, n: reversed_in(shop, id, n), 201),
    "hold": (lambda shop, id, n: shop.hold((id, n)), 201),
}


def reversed_in(shop: Counter, id: int, n: int) -> Any:
    """Take back what once came, and was moved away by a count since."""
    came = shop.moved(id, n)["id"]
    shop.moved(id, -n)
    return shop.post(f"/stock/movements/{came}/reverse")


def sentence(answer: Any) -> str:
    """Why there was not enough, be it of a line or of the whole."""
    found = answer.json or {}
    errors = found.get("errors", [{"code": found["code"], "message": found["detail"]}])
    assert {error["code"] for error in errors} == {"insufficient_stock"}
    [said] = {error["message"] for error in errors}
    return str(said)


@pytest.fixture
def lamp(shop: Counter) -> int:
    return shop.product(name="Lamp", stock=10)


@pytest.mark.parametrize("way", TAKING)
def test_what_is_held_cannot_be_taken(shop: Counter, lamp: int, way: str) -> None:
    take, good = TAKING[way]
    shop.held((lamp, 3))
    shop.held((lamp, 1), (lamp, 2))
    before = shop.available(lamp)
    answer = take(shop, lamp, 5)
    assert answer.status_code == 400
    assert sentence(answer) == "Insufficient stock. Current: 10, Reserved: 6, Requested: 5"
    assert shop.available(lamp) == before == (10, 4)
    assert take(shop, lamp, 4).status_code == good
    assert shop.available(lamp)[1] == 0
    assert shop.run(FAULTS) == []


@pytest.mark.parametrize("way", TAKING)
@pytest.mark.parametrize("over", ["expired", "released", "committed"])
def test_what_is_held_no_longer_can(shop: Counter, lamp: int, way: str, over: str) -> None:
    take, good = TAKING[way]
    id = shop.held((lamp, 6))
    if over == "expired":
        shop.pass_time(id)
    else:
        shop.then(id, {"committed": "commit", "released": "release"}[over])
    if over == "committed":
        shop.moved(lamp, 6)
    assert shop.available(lamp) == (10, 10)
    answer = take(shop, lamp, 11)
    assert sentence(answer) == "Insufficient stock. Current: 10, Requested: 11"
    assert take(shop, lamp, 10).status_code == good


def test_what_comes_is_taken_in_whatever_is_held(shop: Counter, lamp: int) -> None:
    shop.held((lamp, 10))
    shop.count(lamp, 2)
    assert shop.available(lamp) == (2, -8)
    assert shop.move(lamp, 1).status_code == 201
    assert shop.batch((lamp, -1), (lamp, 2)).status_code == 201
    assert shop.batch((lamp, -1), (lamp, 1)).status_code == 201
    assert shop.available(lamp) == (4, -6)
    answer = shop.move(lamp, -1)
    assert sentence(answer) == "Insufficient stock. Current: 4, Reserved: 10, Requested: 1"


@pytest.mark.parametrize("way", ["put", "patch", "count", "import"])
def test_who_says_what_is_there_is_believed(
    shop: Counter, lamp: int, tmp_path: Path, way: str
) -> None:
    shop.held((lamp, 6))
    if way == "import":
        assert shop.import_(tmp_path / "a.csv", "Lamp,1,5", "--update").exit_code == 0
    elif way == "count":
        assert shop.count(lamp, 5).status_code == 201
    else:
        assert document(shop.change(lamp, way.upper(), stock=5))["available"] == -1
    assert shop.available(lamp) == (5, -1)


def test_a_better_reason_comes_first(shop: Counter, lamp: int) -> None:
    came = shop.moved(lamp, 2)["id"]
    assert shop.post(f"/stock/movements/{came}/reverse").status_code == 201
    shop.held((lamp, 10))
    problem(shop.post(f"/stock/movements/{came}/reverse"), 409, "already_reversed")
    problem(shop.move(lamp, -1, expected_stock=3), 412, "stale_stock")
    stale = {"If-Match": f'"{lamp}-1"'}
    path = f"/products/{lamp}/stock?quantity=-1"
    problem(shop.call("PATCH", path, headers=stale), 412, "stale_version")


def test_every_answer_about_a_product_says_what_is_available(shop: Counter, lamp: int) -> None:
    shop.change(lamp, low_stock_threshold=10)
    shop.held((lamp, 6))
    path = f"/products/{lamp}"
    answers = (
        shop.ask(path),
        shop.change(lamp, "PUT", price="2"),
        shop.change(lamp, price="3"),
        shop.change(lamp, stock=10),
        shop.call("PATCH", f"{path}/stock?quantity=-1"),
        shop.call("PATCH", f"{path}/stock?quantity=1"),
        shop.post(f"{path}/restore"),
    )
    for answer in answers:
        found = document(answer)
        assert found["available"] == found["stock"] - 6
        assert answer.headers["ETag"] == f'"{lamp}-{found["version"]}-6"'
    for path in "/products/", "/stock/low":
        [item] = shop.get(path)["items"]
        assert item == shop.get(f"/products/{lamp}")
    [item] = shop.get("/products/search/", q="lam")["items"]
    assert item["available"] == 4
    shop.call("DELETE", f"/products/{lamp}")
    assert document(shop.post(f"/products/{lamp}/restore"))["available"] == 4
    assert (
        document(shop.post("/products/", {"name": "New", "price": 1, "stock": 3}), 201)["available"]
        == 3
    )


def test_holding_is_no_change_of_the_product_but_of_its_answer(shop: Counter, lamp: int) -> None:
    before = shop.ask(f"/products/{lamp}")
    id = shop.held((lamp, 4))
    held = shop.call("GET", f"/products/{lamp}", headers={"If-None-Match": before.headers["ETag"]})
    assert document(held) == {**document(before), "available": 6}
    assert held.headers["ETag"] == f'"{lamp}-1-4"'
    again = {"If-None-Match": held.headers["ETag"]}
    assert shop.call("GET", f"/products/{lamp}", headers=again).status_code == 304
    shop.then(id, "extend", {"ttl_seconds": 60})
    assert shop.call("GET", f"/products/{lamp}", headers=again).status_code == 304
    shop.pass_time(id)
    free = shop.call("GET", f"/products/{lamp}", headers=again)
    assert (document(free), free.headers["ETag"]) == (document(before), before.headers["ETag"])


@pytest.mark.parametrize("tag", ['"ID-1-4"', '"ID-1"', '"ID-1-9"'])
def test_whoever_read_a_product_may_change_it_whatever_is_held_since(
    shop: Counter, lamp: int, tag: str
) -> None:
    shop.held((lamp, 4))
    sent = {"If-Match": tag.replace("ID", str(lamp))}
    assert shop.call("PATCH", f"/products/{lamp}", {"price": 2}, sent).status_code == 200
    found = problem(shop.call("DELETE", f"/products/{lamp}", headers=sent), 412, "stale_version")
    said = f'Product {lamp} has changed, its ETag is "{lamp}-2-4" now; read it again'
    assert found["detail"] == said


READING: dict[str, tuple[Way, int]] = {
    "item": (lambda shop, id, n: shop.ask(f"/products/{id}"), 1),
    "list": (lambda shop, id, n: shop.ask("/products/"), 1),
    "low": (lambda shop, id, n: shop.ask("/stock/low"), 2),  # the first is whose token it is
}
# Guard and event are in it; where something is held: try, lock, count, move; and who is
# answered the product is told of holds as they are after that.
WRITING: dict[str, tuple[Way, int, int]] = {
    "patch": (lambda shop, id, n: shop.change(id, price="2"), 3, 4),
    "adjust": (lambda shop, id, n: shop.call("PATCH", f"/products/{id}/stock?quantity=-1"), 1, 6),
    "adjust up": (lambda shop, id, n: shop.call("PATCH", f"/products/{id}/stock?quantity=1"), 1, 2),
    "move": (lambda shop, id, n: shop.move(id, -1), 1, 5),
    "batch": (lambda shop, id, n: shop.batch((id, -1)), 4, 5),
    "batch up": (lambda shop, id, n: shop.batch((id, 1)), 4, 4),
    "count": (lambda shop, id, n: shop.count(id, n), 3, 3),
}


@pytest.mark.parametrize("way", READING)
def test_reading_asks_no_more_when_something_is_held(
    shop: Counter, lamp: int, statements: list[str], way: str
) -> None:
    read, number = READING[way]
    shop.change(lamp, low_stock_threshold=99)
    shop.held((lamp, 4))
    for _ in range(3):
        shop.held((shop.product(stock=5, low_stock_threshold=9), 1))
    statements.clear()
    assert read(shop, lamp, 0).status_code == 200
    assert len(statements) == number


@pytest.mark.parametrize("way", WRITING)
def test_writing_asks_more_only_when_something_is_held(
    shop: Counter, lamp: int, statements: list[str], way: str
) -> None:
    write, free, held = WRITING[way]

    def asked(n: int) -> int:
        statements.clear()
        assert write(shop, lamp, n).status_code in (200, 201)
        return len(statements)

    before = asked(7)
    id = shop.held((lamp, 4))
    meanwhile = asked(8)
    shop.then(id, "release")
    assert (before, meanwhile, asked(9)) == (free, held, free)


def test_a_product_says_until_when_it_is_held(shop: Counter, lamp: int) -> None:
    def until() -> Any:
        [row] = shop.run("SELECT held_until, version FROM products WHERE id = :id", id=lamp)
        assert row[1] == 1
        return row[0] and row[0].isoformat(timespec="microseconds").replace("+00:00", "Z")

    assert until() is None
    one, two = shop.held((lamp, 1), ttl_seconds=600), shop.held((lamp, 1), ttl_seconds=60)
    assert until() == shop.found(one)["expires_at"]
    shop.then(two, "extend", {"ttl_seconds": 3_600})
    assert until() == shop.found(two)["expires_at"]
    shop.then(two, "release")
    assert until() == shop.found(one)["expires_at"]
    shop.then(one, "release")
    assert until() is None


def test_a_refused_reservation_leaves_nothing(shop: Counter, lamp: int) -> None:
    sofa = shop.product(stock=1)
    before = shop.run("SELECT held_until, version, updated_at FROM products ORDER BY id")
    assert shop.hold((lamp, 1), (sofa, 2)).status_code == 400
    assert shop.run("SELECT held_until, version, updated_at FROM products ORDER BY id") == before
    assert shop.run("SELECT count(*) FROM stock_holds") == [(0,)]
    assert shop.get(HOLDS)["total"] == 0
