"""/stock/reservations: what is held, for how long, and what becomes of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.answers import document, problem
from tests.products.stock.books import FAULTS
from tests.reservations.conftest import HOLDS, Counter

MEMBERS = ["id", "status", "lines", "reference", "expires_at", "movement_ids", "actor_id"]
MEMBERS += ["version", "created_at", "updated_at"]


def seconds(found: dict[str, Any], since: str = "created_at") -> float:
    """How long it lasts."""
    end, start = (datetime.fromisoformat(found[name]) for name in ("expires_at", since))
    return (end - start).total_seconds()


def refused(answer: Any) -> list[tuple[str, str, str]]:
    """Which line is refused, why, and in what words."""
    errors = problem(answer, 400, "batch_refused")["errors"]
    assert {error["in"] for error in errors} == {"body"}
    return [(error["field"], error["code"], error["message"]) for error in errors]


def short(place: int, sentence: str) -> tuple[str, str, str]:
    return f"lines.{place}", "insufficient_stock", f"Insufficient stock. {sentence}"


def closed(answer: Any, id: int, how: str) -> None:
    found = problem(answer, 409, "reservation_closed")
    assert found["detail"] == f"Reservation {id} is {how}; make a new one."


def test_a_reservation_is_answered_whole(shop: Counter) -> None:
    one, two = shop.product(stock=5), shop.product(stock=7)
    answer = shop.hold((two, 3), (one, 1), (two, 4), reference=" cart 17 ")
    found = document(answer, 201)
    assert list(found) == MEMBERS
    lines = [{"product_id": id, "quantity": n} for id, n in ((two, 3), (one, 1), (two, 4))]
    assert (found["status"], found["lines"], found["reference"]) == ("open", lines, "cart 17")
    assert (found["actor_id"], found["version"]) == (shop.actor_id, 1)
    assert found["movement_ids"] is None
    assert 899 < seconds(found) < 960
    assert answer.headers["Location"] == f"/api/v1{HOLDS}{found['id']}"
    assert answer.headers["ETag"] == f'"{found["id"]}-1"'
    assert shop.found(found["id"]) == found
    assert [shop.available(id) for id in (one, two)] == [(5, 4), (7, 0)]


def test_it_lasts_as_long_as_is_said(shop: Counter) -> None:
    id = shop.product(stock=5)
    for ttl in 1, 60, 86_400:
        assert ttl - 1 < seconds(document(shop.hold((id, 1), ttl_seconds=ttl), 201)) < ttl + 60


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "lines", "required"),
        ({"lines": []}, "lines", "length"),
        ({"lines": [{"product_id": 1, "quantity": 1}] * 101}, "lines", "length"),
        ({"lines": [{"product_id": 1}]}, "lines.0.quantity", "required"),
        ({"lines": [{"product_id": 1, "quantity": 0}]}, "lines.0.quantity", "out_of_range"),
        ({"lines": [{"product_id": 1, "quantity": -1}]}, "lines.0.quantity", "out_of_range"),
        ({"lines": [{"product_id": 1, "quantity": 10**6 + 1}]}, "lines.0.quantity", "out_of_range"),
        ({"lines": [{"product_id": 0, "quantity": 1}]}, "lines.0.product_id", "out_of_range"),
        ({"lines": [{"product_id": 1, "quantity": 1, "x": 1}]}, "lines.0.x", "unknown"),
        ({"ttl_seconds": 0}, "ttl_seconds", "out_of_range"),
        ({"ttl_seconds": 86_401}, "ttl_seconds", "out_of_range"),
        ({"ttl_seconds": None}, "ttl_seconds", "null"),
        ({"reference": "x" * 256}, "reference", "too_long"),
        ({"status": "open"}, "status", "unknown"),
    ],
)
def test_what_is_no_reservation_is_refused(
    shop: Counter, body: dict[str, Any], field: str, code: str
) -> None:
    good = {"lines": [{"product_id": 1, "quantity": 1}]} if field != "lines" else {}
    [error] = problem(shop.post(HOLDS, {**good, **body}), 422, "invalid_fields")["errors"]
    assert (error["field"], error["code"]) == (field, code)


def test_what_is_not_there_cannot_be_held(shop: Counter) -> None:
    one, two, gone = shop.product(stock=5), shop.product(stock=7), 10**9
    shop.held((one, 3))
    answer = shop.hold((one, 1), (two, 7), (gone, 1), (one, 3))
    said = "Current: 5, Reserved: 3, Requested: 4"
    missing = ("lines.2", "not_found", f"Product with id {gone} not found")
    assert refused(answer) == [short(0, said), missing, short(3, said)]
    detail = "3 lines were refused, and nothing was written; see errors."
    assert (answer.json or {})["detail"] == detail
    assert refused(shop.hold((two, 8))) == [short(0, "Current: 7, Requested: 8")]
    assert [shop.available(id) for id in (one, two)] == [(5, 2), (7, 7)]
    assert shop.get(HOLDS)["total"] == 1


def test_committing_moves_the_stock_line_by_line(shop: Counter) -> None:
    one, two = shop.product(stock=5), shop.product(stock=7)
    id = shop.held((two, 3), (one, 1), (two, 4), reference="cart 17")
    shop.events()
    found = document(shop.then(id, "commit"))
    assert (found["status"], found["version"]) == ("committed", 2)
    moved = [shop.get(f"/stock/movements/{each}") for each in found["movement_ids"]]
    assert [(each["product_id"], each["quantity"]) for each in moved] == [
        (two, -3),
        (one, -1),
        (two, -4),
    ]
    assert {(each["kind"], each["reason"], each["reference"]) for each in moved} == {
        ("adjustment", "reservation", "cart 17")
    }
    assert [shop.available(each) for each in (one, two)] == [(4, 4), (0, 0)]
    assert shop.found(id) == found
    assert [type for type, _ in shop.events()] == [
        *["stock.adjusted"] * 3,
        "reservation.committed",
    ]
    assert shop.run(FAULTS) == []


def test_movements_of_a_reservation_without_a_reference_name_it(shop: Counter) -> None:
    id = shop.held((shop.product(stock=5), 3))
    [movement] = document(shop.then(id, "commit"))["movement_ids"]
    assert shop.get(f"/stock/movements/{movement}")["reference"] == f"reservation {id}"


def test_committing_tells_what_is_low(shop: Counter) -> None:
    lamp = shop.product(stock=5, low_stock_threshold=2)
    id = shop.held((lamp, 2), (lamp, 2))
    assert "stock.low" not in {type for type, _ in shop.events()}  # holding moves nothing
    shop.then(id, "commit")
    low = [data for type, data in shop.events() if type == "stock.low"]
    assert low == [{"product_id": lamp, "stock": 1, "threshold": 2}]


def test_what_is_released_is_available_again(shop: Counter) -> None:
    lamp = shop.product(stock=5)
    id = shop.held((lamp, 5))
    shop.events()
    found = document(shop.then(id, "release"))
    assert (found["status"], found["version"], found["movement_ids"]) == ("released", 2, None)
    assert shop.available(lamp) == (5, 5)
    assert document(shop.then(id, "release")) == found  # once more changes nothing
    assert shop.events() == [("reservation.released", {"reservation_id": id})]
    assert shop.state(lamp) == (5, 1)


def test_what_is_extended_lasts_so_long_from_now(shop: Counter) -> None:
    lamp = shop.product(stock=5)
    id = shop.held((lamp, 5), ttl_seconds=1)
    for ttl in 3_600, 60:  # longer, and shorter
        found = document(shop.then(id, "extend", {"ttl_seconds": ttl}))
        assert found["status"] == "open"
        assert ttl - 1 < seconds(found, "updated_at") < ttl + 1
    assert found["version"] == 3
    assert shop.found(id) == found
    assert shop.available(lamp) == (5, 0)
    [(held,)] = shop.run("SELECT DISTINCT held_until = until FROM products, stock_holds")
    assert held


@pytest.mark.parametrize("how", ["committed", "released", "expired"])
def test_what_is_closed_stays_so(shop: Counter, how: str) -> None:
    lamp = shop.product(stock=5)
    id = shop.held((lamp, 3))
    if how == "expired":
        shop.pass_time(id)
    else:
        shop.then(id, {"committed": "commit", "released": "release"}[how])
    before, available = shop.found(id), shop.available(lamp)
    assert before["status"] == how
    shop.events()
    closed(shop.then(id, "commit"), id, how)
    closed(shop.then(id, "extend", {"ttl_seconds": 60}), id, how)
    if how != "released":
        closed(shop.then(id, "release"), id, how)
    assert (shop.found(id), shop.available(lamp), shop.events()) == (before, available, [])


def test_what_has_expired_has_another_tag_though_nobody_touched_it(shop: Counter) -> None:
    id = shop.held((shop.product(stock=5), 3))
    tag = shop.ask(f"{HOLDS}{id}").headers["ETag"]
    assert shop.call("GET", f"{HOLDS}{id}", headers={"If-None-Match": tag}).status_code == 304
    shop.pass_time(id)
    answer = shop.call("GET", f"{HOLDS}{id}", headers={"If-None-Match": tag})
    assert (answer.status_code, answer.headers["ETag"]) == (200, f'"{id}-1-expired"')


def test_a_count_tells_the_truth_and_a_commit_is_judged_by_it(shop: Counter) -> None:
    lamp = shop.product(stock=5)
    one, two = shop.held((lamp, 2)), shop.held((lamp, 3))
    assert shop.count(lamp, 2).status_code == 201
    assert shop.available(lamp) == (2, -3)
    assert refused(shop.then(two, "commit")) == [short(0, "Current: 2, Requested: 3")]
    assert shop.found(two)["status"] == "open"
    assert document(shop.then(one, "commit"))["status"] == "committed"
    assert shop.available(lamp) == (0, -3)
    assert document(shop.then(two, "release"))["status"] == "released"
    assert shop.available(lamp) == (0, 0)


@pytest.mark.parametrize("verb", ["commit", "release", "extend"])
def test_what_is_not_there_is_named(shop: Counter, verb: str) -> None:
    for id in 0, 10**9, 2**63:
        body = {"ttl_seconds": 60} if verb == "extend" else None
        found = problem(shop.then(id, verb, body), 404, "not_found")
        assert found["detail"] == f"Reservation with id {id} not found"


def test_reservations_are_found_by_status_product_and_reference(shop: Counter) -> None:
    lamp, sofa = shop.product(stock=50), shop.product(stock=50)
    open_, committed, released, expired = (
        shop.held((lamp, 1), (id, 1), reference=f"cart {id % 2}") for id in (lamp, sofa) * 2
    )
    shop.then(committed, "commit")
    shop.then(released, "release")
    shop.pass_time(expired)

    def ids(**query: Any) -> list[int]:
        return [item["id"] for item in shop.get(HOLDS, **query)["items"]]

    every = [expired, released, committed, open_]
    assert ids() == every
    assert ids(sort="id", limit=2) == every[:1:-1]
    assert ids(status="open") == [open_]
    assert ids(status="committed") == [committed]
    assert ids(status="released") == [released]
    assert ids(status="expired") == [expired]
    assert ids(product_id=sofa) == [expired, committed]
    assert ids(product_id=lamp) == every
    assert ids(product_id=sofa, status="expired") == [expired]
    assert ids(reference=f"cart {lamp % 2}") == [released, open_]
    for item in shop.get(HOLDS)["items"]:
        assert item == shop.found(item["id"])
    assert shop.ask(HOLDS, status="gone").status_code == 422


def test_a_page_asks_once_for_all_lines(shop: Counter, statements: list[str]) -> None:
    lamp = shop.product(stock=50)
    for _ in range(5):
        shop.held((lamp, 1), (lamp, 2))
    statements.clear()
    shop.get(HOLDS)
    assert len(statements) == 2  # the first is whose token it is


def test_a_reservation_is_made_once_under_a_key(shop: Counter) -> None:
    lamp = shop.product(stock=5)
    body = {"lines": [{"product_id": lamp, "quantity": 3}]}
    first, again = (shop.post(HOLDS, body, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, again.data) == (201, first.data)
    path = f"{HOLDS}{document(first, 201)['id']}/commit"
    done, again = (shop.post(path, **{"Idempotency-Key": "c"}) for _ in range(2))
    assert (done.status_code, again.data) == (200, done.data)
    assert shop.available(lamp) == (2, 2)


def test_what_is_made_and_extended_is_announced(shop: Counter) -> None:
    lamp = shop.product(stock=5)
    shop.events()
    id = shop.held((lamp, 2), reference="cart 17")
    shop.then(id, "extend", {"ttl_seconds": 60})
    lines = [{"product_id": lamp, "quantity": 2}]
    made = {"reservation_id": id, "reference": "cart 17", "lines": lines}
    assert shop.events() == [
        ("reservation.created", made),
        ("reservation.extended", {"reservation_id": id}),
    ]
