"""`flask pg status` and `flask pg stop`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from config import NAME
from project.embedded import Cluster
from project.embedded.cli import pg


@pytest.fixture
def flask_pg() -> Callable[[Cluster | None, str], Result]:
    def run(cluster: Cluster | None, command: str) -> Result:
        app = Flask(NAME)
        app.extensions["embedded"] = cluster
        app.cli.add_command(pg)
        return app.test_cli_runner().invoke(args=["pg", command])

    return run


def test_status_tells_what_runs(flask_pg: Any, running: Cluster) -> None:
    told = flask_pg(running, "status")
    assert told.exit_code == 0
    lines = told.output.splitlines()
    assert lines[0] == "running   yes"
    assert lines[1] == f"pid       {running.status()['pid']}"
    assert lines[2] == f"data      {running.data}"
    assert lines[-1] == "in use    yes"


def test_status_of_a_server_that_does_not_run_exits_with_3(
    flask_pg: Any, make: Callable[..., Cluster]
) -> None:
    told = flask_pg(make(), "status")
    assert told.exit_code == 3
    assert told.output.startswith("running   no\n")


def test_stop_says_what_it_did(flask_pg: Any, make: Callable[..., Cluster]) -> None:
    cluster = make()
    cluster.ensure()
    assert flask_pg(cluster, "stop").output == "The embedded PostgreSQL has stopped.\n"
    assert flask_pg(cluster, "stop").output == "It was not running.\n"


@pytest.mark.parametrize("command", ["status", "stop"])
def test_a_server_of_database_url_is_not_ours_to_manage(flask_pg: Any, command: str) -> None:
    told = flask_pg(None, command)
    assert told.exit_code == 1
    assert "DATABASE_URL is set: that server is not ours to manage." in told.output
