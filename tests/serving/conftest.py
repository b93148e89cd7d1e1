"""Servers for experiments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.serving.client import Laboratory

Start = Callable[..., AbstractContextManager[Laboratory]]
NOBODY = "postgresql://nobody@127.0.0.1:1/nothing"  # is never asked


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: Any) -> Iterator[Laboratory]:
    """Two workers of four threads; what needs no setting of its own shares it."""
    with Laboratory(NOBODY, tmp_path_factory.mktemp("laboratory"), "s" * 32) as running:
        yield running


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Begin one with these arguments of gunicorn's."""

    def begin(arguments: str = "", **environment: str) -> Laboratory:
        return Laboratory(NOBODY, tmp_path, "s" * 32, GUNICORN_CMD_ARGS=arguments, **environment)

    return begin
