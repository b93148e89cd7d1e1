"""The application with the room of samples, for tests and for the processes that they start."""

from __future__ import annotations

import os
from pathlib import Path

from config import Config
from project import create_app
from project.features import ROOMS, Room
from project.http.app import App
from tests.samples import routes
from tests.server import Server


def create(config: Config) -> App:
    """All rooms there are, and this one."""
    return create_app(config, (*ROOMS, Room(routes.blp, "/api/v1/samples")))


class Laboratory(Server):
    """A real gunicorn that has it."""

    application = "tests.samples.laboratory:app"

    def __init__(self, url: str, folder: Path, secret: str, **environment: str) -> None:
        super().__init__(url, folder, secret, LABORATORY="yes", **environment)


app = create(Config.from_env()) if os.environ.get("LABORATORY") else None
