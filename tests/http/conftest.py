"""What the tests of requests that come again share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from config import Config
from project.db import db
from project.http.app import App
from tests.caller import Caller
from tests.conftest import SECRET
from tests.samples import laboratory
from tests.samples.make import make_sample
from tests.server import Server


@pytest.fixture(scope="module")
def kind() -> tuple[type[Server], Callable[[Config], App]]:
    """The one with samples."""
    return laboratory.Laboratory, laboratory.create


@pytest.fixture(scope="session")
def app(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """With the room of samples: what every room inherits is tried whatever rooms there are."""
    folder = tmp_path_factory.mktemp("data")
    config = Config(database_url=database_url, secret_key=SECRET, data_dir=folder)
    application = laboratory.create(replace(config, ratelimit_enabled=False))
    yield application
    with application.app_context():
        db.engine.dispose()


@pytest.fixture
def caller(app: App, isolated: None, capsys: pytest.CaptureFixture[str]) -> Caller:
    return Caller(app, capsys)


@pytest.fixture
def chalk(caller: Caller) -> str:
    """The address of a sample of which there are five."""
    return sample(caller, name="Chalk")


def sample(caller: Caller, **values: Any) -> str:
    """The address of a new one of which there are five."""
    return caller.stored("samples", make_sample, **{"amount": 5, **values})
