"""Who moved it, and under which request: told for ever, whoever is still there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ulid import ULID

from project.http.app import App
from tests.answers import document
from tests.products.stock.conftest import Shop

WHO = ("actor_id", "actor_name", "request_id")
ID = "checkout/7:a=b+c~d.e_f-g"


def test_a_movement_outlives_whoever_made_it(
    shop: Shop, staff: Callable[[str], Shop], superuser: dict[str, str]
) -> None:
    bob, id = staff("bob"), shop.product(stock=5)
    moved = bob.moved(id, -1)
    assert (moved["actor_id"], moved["actor_name"]) == (bob.actor_id, "bob")
    gone = shop.call("DELETE", f"/users/{bob.actor_id}", headers=superuser)
    assert gone.status_code == 204
    assert shop.run("SELECT FROM users WHERE id = :id", id=bob.actor_id) == []
    assert shop.get(f"/stock/movements/{moved['id']}") == moved
    assert shop.get("/stock/movements", actor_id=bob.actor_id)["items"] == [moved]


def test_an_actor_keeps_the_name_of_that_time(shop: Shop, superuser: dict[str, str]) -> None:
    id = shop.product(stock=5)
    before = shop.moved(id, -1)
    renamed = shop.call("PATCH", f"/users/{shop.actor_id}", {"username": "countess"}, superuser)
    assert renamed.status_code == 200, renamed.text
    after = shop.moved(id, -1)
    assert [each["actor_name"] for each in (before, after)] == ["ada", "countess"]
    assert shop.get(f"/stock/movements/{before['id']}") == before
    found = shop.get("/stock/movements", actor_id=shop.actor_id)["items"]
    assert found == [after, before]


@pytest.mark.parametrize("sent", [ID, "x" * 128])
def test_every_line_knows_its_request(shop: Shop, sent: str) -> None:
    """As it was sent, on whatever path the line was written."""
    header = {"X-Request-Id": sent}
    made = shop.call("POST", "/products/", {"name": "Lamp", "price": 1, "stock": 5}, header)
    id = document(made, 201)["id"]
    path = f"/products/{id}"
    move = {"quantity": 1, "reason": "came"}
    for method, where, body, status in (
        ("PUT", path, {"stock": 6}, 200),
        ("PATCH", path, {"stock": 7}, 200),
        ("PATCH", f"{path}/stock?quantity=1", None, 200),
        ("POST", f"{path}/stock/movements", move, 201),
        ("POST", f"{path}/stock/count", {"counted": 5}, 201),
        ("POST", "/stock/movements/batch", {"movements": [{"product_id": id, "quantity": 2}]}, 201),
    ):
        answer = shop.call(method, where, body, header)
        assert (answer.status_code, answer.headers["X-Request-Id"]) == (status, sent)
    last = shop.get(f"{path}/stock/movements")["items"][0]
    shop.call("POST", f"/stock/movements/{last['id']}/reverse", headers=header)
    lines = shop.get(f"{path}/stock/movements")["items"]
    assert len(lines) == 8
    said = {tuple(line[name] for name in WHO) for line in lines}
    assert said == {(shop.actor_id, "ada", sent)}


def test_a_request_without_a_good_id_is_known_by_its_new_one(shop: Shop) -> None:
    id, seen = shop.product(), set()
    for sent in "", "x" * 129, "a b", "'; --":
        answer = shop.post(
            f"/products/{id}/stock/movements",
            {"quantity": 1, "reason": "came"},
            **{"X-Request-Id": sent},
        )
        found = document(answer, 201)["request_id"]
        assert found == answer.headers["X-Request-Id"] != sent
        ULID.from_str(found)
        seen.add(found)
    assert len(seen) == 4


def test_commands_act_for_nobody_under_an_id_of_their_own(
    app: App, shop: Shop, tmp_path: Path
) -> None:
    """Though somebody was signed in a moment before, in the very same process."""
    old = shop.product(name="Lamp", stock=5)
    shop.moved(old, 1)
    path = tmp_path / "products.csv"
    ids = []
    for stock in 7, 8:
        path.write_text(f"name,price,stock\nLamp,1,{stock}0\nSofa {stock},1,4\n")
        arguments = ["products", "import", str(path), "--update"]
        assert app.test_cli_runner().invoke(args=arguments).exit_code == 0
        lines = shop.run(
            "SELECT kind, actor_id, actor_name, request_id FROM stock_movements"
            " ORDER BY id DESC LIMIT 2"
        )
        assert {line[:3] for line in lines} == {("count", None, None), ("opening", None, None)}
        [request_id] = {line[3] for line in lines}
        ULID.from_str(request_id)
        ids.append(request_id)
    assert ids[0] != ids[1]
    assert shop.moved(old, 1)["actor_name"] == "ada"


def test_nobody_s_line_is_answered_with_nulls(shop: Shop) -> None:
    id = shop.product()
    shop.run(
        "INSERT INTO stock_movements"
        " (product_id, quantity, balance_after, kind, request_id, created_at)"
        " VALUES (:id, 1, 1, 'opening', 'migration', now())",
        id=id,
    )
    [line] = shop.get(f"/products/{id}/stock/movements")["items"]
    assert [line[name] for name in (*WHO, "reason")] == [None, None, "migration", None]
