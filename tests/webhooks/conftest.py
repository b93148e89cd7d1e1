"""A receiver on loopback, which these tests allow, and what a worker does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from project.db import transaction
from project.http.app import App
from project.webhooks.dispatch import dispatch
from tests.webhooks.receiver import Receiver
from tests.work import work

Send = Callable[[], int]


@pytest.fixture
def receiver(app: App, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setitem(app.config, "WEBHOOK_PRIVATE_ADDRESSES", True)
    with Receiver() as running:
        yield running


@pytest.fixture
def send(app: App, isolated: None) -> Send:
    """Hand events over, and attempt all that is due, as workers do by and by; how many attempts."""

    def send() -> int:
        count = 0
        while True:
            with app.app_context(), transaction():
                dispatch()
            if not (done := work(app)):
                return count
            count += done

    return send
