"""What somebody does to be signed in, over HTTP."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from project.db import db
from project.http.app import App
from project.users import passwords
from tests.users.make import PASSWORD

AUTH = "/api/v1/auth"
ME = "/api/v1/users/me"
NEW = "staple of another horse"  # a second password


def sign_in(client: FlaskClient, login: Any = "ada", password: Any = PASSWORD) -> TestResponse:
    return client.post(f"{AUTH}/login", json={"login": login, "password": password})


def pair_of(client: FlaskClient, login: str = "ada", password: str = PASSWORD) -> dict[str, Any]:
    """The tokens of a new session."""
    return found(sign_in(client, login, password))


def refresh(client: FlaskClient, token: Any) -> TestResponse:
    return client.post(f"{AUTH}/refresh", json={"refresh_token": token})


def bearer(pair: dict[str, Any]) -> dict[str, str]:
    """The header of these tokens."""
    return {"Authorization": f"Bearer {pair['access_token']}"}


def alive(client: FlaskClient, pair: dict[str, Any]) -> bool:
    """Whether the access token opens a door."""
    return client.get(ME, headers=bearer(pair)).status_code == 200


def found(answer: TestResponse, status: int = 200) -> dict[str, Any]:
    """The document of an answer that has this status."""
    assert answer.status_code == status, answer.text
    return dict(answer.json or {})


def run(app: App, statement: str, **values: Any) -> Any:
    """Commit a statement; its first value."""
    with app.app_context():
        answer: Any = db.session.execute(text(statement), values)
        value = answer.scalar() if answer.returns_rows else None
        db.session.commit()
    return value


def ratios(
    calls: Mapping[str, Callable[[], object]], rounds: int, rest: Callable[[], object] = int
) -> list[float]:
    """How long each call takes by what the first one does, in the median of so many rounds.

    Within a round they follow each other, and every second round backwards, so that a machine
    which is busy now and then is so for all of them. The first round is in vain; `rest` is not
    timed, after each call.
    """
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in [*calls.items()][:: -1 if turn % 2 else 1]:
            began = time.perf_counter()
            call()
            taken[name].append(time.perf_counter() - began)
            rest()
    first, *others = (times[1:] for times in taken.values())
    found = [
        statistics.median(time / by for time, by in zip(times, first, strict=True))
        for times in others
    ]
    print(", ".join(f"{name} {ratio:.3f}" for name, ratio in zip([*calls][1:], found, strict=True)))
    return found


def meanwhile(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """Do this right after the next password was compared, when the request is still under way."""
    matches = passwords.matches

    def compared(hashed: str | None, password: str) -> bool:
        monkeypatch.setattr(passwords, "matches", matches)
        right = matches(hashed, password)
        action()
        return right

    monkeypatch.setattr(passwords, "matches", compared)


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What these calls answer that start at the same moment."""
    start = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        start.wait(10)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
