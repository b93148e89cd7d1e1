"""A service with all that it has, limits too, beside a PostgreSQL that may be ill-treated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from config import Config
from project.embedded import Cluster
from project.http import limits
from project.http.app import App
from tests.conftest import SECRET, furnish, migrate
from tests.faults.scenarios import House, Own
from tests.samples import laboratory
from tests.server import Server

MANY = "1000000 per minute"
LIMITS = {
    "RATELIMIT_ENABLED": "true",
    **{f"RATELIMIT_{name.upper()}": MANY for name in limits.WHAT},
}
# Loaded before it forks, so that workers who are killed are soon back. One who has just been forked
# is deaf to the end of the service, and without a limit would be waited for for half a minute.
SWIFT = "--preload --graceful-timeout 2"
LEAN = {"fsync": "off", "shared_buffers": "16MB"}


class Limited(laboratory.Laboratory):
    """Two workers of four threads that count requests too."""

    def __init__(self, url: str, folder: Path, secret: str) -> None:
        super().__init__(url, folder, secret, GUNICORN_CMD_ARGS=SWIFT, **LIMITS)


@pytest.fixture(scope="module")
def kind() -> tuple[type[Server], Callable[[Config], App]]:
    return Limited, laboratory.create


@pytest.fixture(scope="module")
def house(server: Server) -> House:
    return House(server, server.sign_in())


@pytest.fixture(scope="module")
def own(tmp_path_factory: Any) -> Iterator[Own]:
    """The same with a PostgreSQL of its own."""
    with begun(tmp_path_factory.mktemp("own")) as own:
        yield own


@contextmanager
def begun(folder: Path, **settings: str) -> Iterator[Own]:
    """In this folder."""
    cluster = Cluster(folder, {**LEAN, **settings}, grace=1.0)
    url = cluster.ensure()
    try:
        migrate(url)
        furnish(url)
        with Limited(url, folder, SECRET) as server:
            yield Own(server, server.sign_in(), cluster)
    finally:
        cluster.stop()
        cluster.release()
