"""Requests that come again, and what came of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from project.db import db
from project.http.app import App
from tests.answers import problem, replayed
from tests.conftest import headers_of
from tests.tables import digests

Call = dict[str, Any]


class Caller:
    """Somebody who sends a key along; `state` and `told` say what came of it."""

    def __init__(self, app: App, capsys: pytest.CaptureFixture[str]) -> None:
        self.app, self.capsys = app, capsys
        self.client: FlaskClient = app.test_client()
        self.headers = headers_of(app)

    def send(self, method: str, path: str, key: str | None = "a-key", **call: Any) -> TestResponse:
        """Call it under a key, signed in unless other `headers` are given."""
        named = {} if key is None else {"Idempotency-Key": key}
        call["headers"] = {**call.get("headers", self.headers), **named}
        return self.client.open(path, method=method, **call)

    def stored(self, room: str, make: Callable[..., Any], **values: Any) -> str:
        """The address of a new item of this room."""
        with self.app.app_context():
            id = make(**values).id
            db.session.commit()
        return f"/api/v1/{room}/{id}"

    def state(self, *, keys: bool = True) -> dict[str, str]:
        """Every table as one digest, perhaps without the answers kept."""
        with self.app.app_context():
            found = digests(db.engines[None])
        return {name: one for name, one in found.items() if keys or name != "idempotency_keys"}

    def told(self) -> list[str]:
        """The events logged since one asked last, without the requests themselves."""
        logged = [json.loads(line) for line in self.capsys.readouterr().err.splitlines()]
        return [line["event"] for line in logged if line["event"] != "request"]

    def once(self, method: str, path: str, call: Call, events: list[str]) -> None:
        """A request that comes again is answered the same bytes, and done and told once."""
        first = self.send(method, path, **call)
        assert 200 <= first.status_code < 300
        assert self.told() == events
        after = self.state()
        for _ in range(2):
            replayed(self.send(method, path, **call), first)
        assert self.told() == []
        assert self.state() == after

    def not_without(self, method: str, path: str, call: Call) -> None:
        """Where a key is demanded nothing is written without one, and all of it with one."""
        before = self.state()
        found = problem(self.send(method, path, None, **call), 400, "idempotency_key_required")
        assert "Idempotency-Key" in found["detail"]
        problem(self.send(method, path, None, json={}), 400, "idempotency_key_required")
        problem(self.send(method, path, "", **call), 422, "invalid_fields")
        problem(self.send(method, path, None, headers={}, **call), 401, "unauthorized")
        assert self.state() == before
        first = self.send(method, path, **call)
        assert first.status_code in (200, 201)
        replayed(self.send(method, path, **call), first)
