"""The import contracts hold, and would not hold if somebody broke them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from config import ROOT

SIGNS = {
    "floors": "Rooms stand on floors: nobody imports upwards, siblings never each other",
    "rooms": "Inside a room: routes and commands, then schemas, service, models",
    "services": "Services and models know nothing of HTTP",
}


def lint_imports(house: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=house,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the house to break."""
    shutil.copytree(ROOT / "project", tmp_path / "project")
    shutil.copy(ROOT / "config.py", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("place", "line", "contract"),
    [
        ("errors.py", "import project.db", "floors"),
        ("users/service.py", "import project.auth.service", "floors"),
        ("auth/service.py", "import project.health.service", "floors"),
        ("users/models.py", "import project.users.service", "rooms"),
        ("users/service.py", "import flask", "services"),
        ("users/service.py", "import project.http.etag", "services"),
    ],
)
def test_a_forbidden_import_fails(copy: Path, place: str, line: str, contract: str) -> None:
    with (copy / "project" / place).open("a") as file:
        file.write(f"\n{line}\n")
    linted = lint_imports(copy)
    assert linted.returncode == 1
    assert f"{SIGNS[contract]} BROKEN" in linted.stdout


def test_the_house_as_it_is_keeps_every_contract(copy: Path) -> None:
    linted = lint_imports(copy)
    assert linted.returncode == 0
    assert "3 kept, 0 broken" in linted.stdout


def test_a_room_without_a_floor_fails(copy: Path) -> None:
    (copy / "project" / "warehouse_walls").mkdir()
    (copy / "project" / "warehouse_walls" / "__init__.py").touch()
    linted = lint_imports(copy)
    assert linted.returncode == 1
    assert "warehouse_walls" in linted.stdout


def test_every_room_is_under_the_contract_of_rooms() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    [rooms] = [
        each for each in settings["tool"]["importlinter"]["contracts"] if each["id"] == "rooms"
    ]
    doors = ("routes.py", "tasks.py")
    found = (path for door in doors for path in (ROOT / "project").rglob(door))
    there = {path.parent.relative_to(ROOT) for path in found}
    assert set(rooms["containers"]) == {".".join(place.parts) for place in there}
