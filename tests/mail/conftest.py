"""Mail servers, and notes to send by them."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from jinja2 import ChoiceLoader

from project import logs, origin
from project.mail import transport
from project.mail.message import TEMPLATES
from project.mail.transport import Mailer
from tests.mail.office import CERTIFICATE, NOTES, SENDER, Courier, Office


@pytest.fixture(autouse=True)
def _notes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of any request, with a template for notes."""
    logs.init()
    origin.leave()
    assert TEMPLATES.loader is not None
    monkeypatch.setattr(TEMPLATES, "loader", ChoiceLoader([NOTES, TEMPLATES.loader]))


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Iterator[Courier]:
    """Opens an office, and mails by it: with this scheme, these credentials, this sender."""
    offices: list[Office] = []
    monkeypatch.setattr(transport, "PATIENCE", 3)

    def open_(
        scheme: str = "smtp", user: str = "", sender: str = SENDER, **given: Any
    ) -> tuple[Office, Mailer]:
        office = Office(**given)
        office.start()
        offices.append(office)
        url = f"{scheme}://{user}127.0.0.1:{office.port}"
        return office, Mailer(url, sender, Path("/nowhere"))

    yield open_
    for office in offices:
        office.controller.stop()


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets us trust the certificate from here on; its name is not looked at, as it has none."""
    made = ssl.create_default_context(cafile=CERTIFICATE)
    made.check_hostname = False
    return partial(monkeypatch.setattr, transport, "_trusted", lambda: made)
