"""Somebody signed in who moves stock, and the books that must add up whatever was done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import text
from werkzeug.test import TestResponse

from project.auth import tokens
from project.db import db
from project.http.app import App
from tests.answers import document
from tests.products.make import make_product
from tests.sessions.make import begin
from tests.users.make import make_user

API = "/api/v1"
LINES = "SELECT kind, quantity, balance_after FROM stock_movements WHERE product_id = :id"

Line = tuple[str, int, int]


class Shop:
    """Calls the API as one user, whose name is known."""

    def __init__(self, app: App, name: str) -> None:
        self.app, self.client, self.name = app, app.test_client(), name
        with app.app_context():
            user = make_user(username=name)
            token = tokens.issue(*begin(user))["access_token"]
            db.session.commit()
            self.actor_id = user.id
        self.headers = {"Authorization": f"Bearer {token}"}
        self.told = 0

    def product(self, stock: int = 0, **values: Any) -> int:
        """The id of a new product."""
        with self.app.app_context():
            id = make_product(stock=stock, **values).id
            db.session.commit()
        return id

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        return document(self.ask(path, **query))

    def ask(self, path: str, **query: Any) -> TestResponse:
        return self.client.get(f"{API}{path}", query_string=query or None, headers=self.headers)

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> TestResponse:
        sent = {**self.headers, **(headers or {})}
        return self.client.open(f"{API}{path}", method=method, json=body, headers=sent)

    def post(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        return self.call("POST", path, body, headers)

    def move(self, id: int, quantity: Any, **values: Any) -> TestResponse:
        """A movement of this product, for a reason."""
        body = {"quantity": quantity, "reason": "sold", **values}
        return self.post(f"/products/{id}/stock/movements", body)

    def moved(self, id: int, quantity: int, **values: Any) -> dict[str, Any]:
        """The movement, which was possible."""
        return document(self.move(id, quantity, **values), 201)

    def change(self, id: int, method: str = "PATCH", **values: Any) -> TestResponse:
        """Other values for some fields of a product."""
        return self.call(method, f"/products/{id}", values)

    def count(self, id: int, counted: Any, **values: Any) -> TestResponse:
        """So many are there, by hand."""
        return self.post(f"/products/{id}/stock/count", {"counted": counted, **values})

    def import_(self, path: Path, rows: str, *options: str) -> Result:
        """What the import says of a file with these rows, written to this path."""
        path.write_text(f"name,price,stock\n{rows}\n")
        return self.app.test_cli_runner().invoke(args=["products", "import", str(path), *options])

    def batch(self, *lines: tuple[int, int], **values: Any) -> TestResponse:
        """A batch of (product, quantity)."""
        rows = [{"product_id": id, "quantity": quantity} for id, quantity in lines]
        return self.post("/stock/movements/batch", {"movements": rows, **values})

    def state(self, id: int) -> tuple[int, int]:
        """Stock and version of a product."""
        found = self.get(f"/products/{id}")
        return found["stock"], found["version"]

    def lines(self, id: int) -> list[Line]:
        """What the ledger says of a product, from the beginning."""
        with self.app.app_context():
            found = db.session.execute(text(f"{LINES} ORDER BY id"), {"id": id}).all()
        return [(kind, quantity, balance) for kind, quantity, balance in found]

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """What was announced since one asked last."""
        rows = self.run(
            "SELECT id, type, data FROM events WHERE id > :id ORDER BY id", id=self.told
        )
        self.told = max([self.told, *(id for id, _, _ in rows)])
        return [(type, data) for _, type, data in rows]

    def run(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement that is committed."""
        with self.app.app_context():
            found: Any = db.session.execute(text(statement), values)
            rows = [tuple(row) for row in found] if found.returns_rows else []
            db.session.commit()
        return rows


@pytest.fixture
def shop(app: App, isolated: None) -> Shop:
    """Ada's."""
    return Shop(app, "ada")


@pytest.fixture
def staff(app: App, isolated: None) -> Callable[[str], Shop]:
    """Others by their names."""
    return lambda name: Shop(app, name)
