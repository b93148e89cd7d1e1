"""An application on a database of its own, where work really commits and really fails."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from config import Config
from project.db import db
from project.http.app import App
from tests.conftest import SECRET, cloned
from tests.samples import laboratory


class Bench:
    """`get` and `post` run a piece of work inside a request; `app` is the application."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.app: App = laboratory.create(Config(database_url=url, secret_key=SECRET, threads=2))
        self.work: Callable[[], Any] = lambda: None
        self.app.add_url_rule(
            "/work", "work", lambda: {"found": self.work()}, methods=["GET", "POST"]
        )

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def get(self, work: Callable[[], Any]) -> Any:
        self.work = work
        return self.client.get("/work")

    def post(self, work: Callable[[], Any]) -> Any:
        self.work = work
        return self.client.post("/work")


@contextmanager
def opened(postgres: str, template: str) -> Iterator[Bench]:
    with cloned(postgres, template, f"bench_{secrets.token_hex(6)}") as url:
        made = Bench(url)
        yield made
        with made.app.app_context():
            db.engine.dispose()


@pytest.fixture(scope="module")
def bench(postgres: str, template: str) -> Iterator[Bench]:
    with opened(postgres, template) as made:
        yield made


def run(statement: str, **values: Any) -> Any:
    """The first value of a statement in the session under way."""
    answer: Any = db.session.execute(text(statement), values)
    return answer.scalar() if answer.returns_rows else None
