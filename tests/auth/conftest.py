"""Ada and Bob, who may not; and nobody's secrets in the log, whatever a test does."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from project.db import db
from project.http.app import App
from tests.auth.discreet import told
from tests.users.make import make_user


@pytest.fixture(autouse=True)
def discreet(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Read every log line of the test, if the test does not read them itself."""
    yield
    out, logged = capsys.readouterr()
    sys.stdout.write(out)
    sys.stderr.write(logged)
    assert told(logged) == []


@pytest.fixture
def ada(app: App, isolated: None) -> int:
    """The id of Ada; Bob is there too, but inactive."""
    with app.app_context():
        id = make_user(username="ada", email="ada@example.org").id
        make_user(username="bob", email="bob@example.org", is_active=False)
        db.session.commit()
    return id
