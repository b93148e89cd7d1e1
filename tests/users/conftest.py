"""Somebody signed in whose id is known, and an application where work really commits."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from sqlalchemy import text

from config import Config
from project import create_app
from project.auth import tokens
from project.db import db, transaction
from project.errors import Refusal
from project.http.app import App
from tests.conftest import SECRET, cloned
from tests.sessions.make import begin
from tests.users.make import make_user


class Member(NamedTuple):
    """Somebody with an account, who is signed in."""

    id: int
    headers: dict[str, str]


def enter(app: App, **values: Any) -> Member:
    """A new user, signed in."""
    with app.app_context():
        user = make_user(**values)
        token = tokens.issue(*begin(user))["access_token"]
        db.session.commit()
        return Member(user.id, {"Authorization": f"Bearer {token}"})


def done(app: App, work: Callable[[], Any]) -> Any:
    """What a piece of work returns in a transaction of its own, or the refusal it raises."""
    with app.app_context():
        try:
            with transaction():
                return work()
        except Refusal as refusal:
            return refusal


def between(
    monkeypatch: pytest.MonkeyPatch, module: Any, verb: str, meanwhile: Callable[[], Any]
) -> None:
    """Do something else where this verb is called first, before it is done."""
    real, first = getattr(module, verb), [True]

    def slow(*given: Any, **values: Any) -> Any:
        if first:
            first.clear()
            meanwhile()
        return real(*given, **values)

    monkeypatch.setattr(module, verb, slow)


@pytest.fixture
def root(app: App, isolated: None) -> Member:
    """A superuser."""
    return enter(app, username="root", email="root@house.org", is_superuser=True)


@pytest.fixture(scope="module")
def apart(postgres: str, template: str) -> Iterator[App]:
    with cloned(postgres, template, f"users_{secrets.token_hex(6)}") as url:
        app = create_app(
            Config(database_url=url, secret_key=SECRET, threads=8, ratelimit_enabled=False)
        )
        yield app
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def own(apart: App) -> App:
    """An application on a database of its own, where nobody has an account."""
    done(apart, lambda: db.session.execute(text("TRUNCATE users RESTART IDENTITY CASCADE")))
    return apart
