"""What the house-wide tests share."""

from __future__ import annotations

import pytest

from project.health import service as health
from project.http.app import App
from tests.house.world import World


@pytest.fixture
def world(app: App, isolated: None, monkeypatch: pytest.MonkeyPatch) -> World:
    """People, what is theirs, and a valid call of everything."""
    monkeypatch.setattr(health, "PATIENCE", 30)  # a busy machine is no matter of rights
    return World(app)
