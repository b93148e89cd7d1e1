"""Schemathesis against a real server: nothing it makes up is answered otherwise than documented.

The run is the same every time; a longer or another one is asked for with SCHEMATHESIS_EXAMPLES
(per operation) and SCHEMATHESIS_SEED.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from config import ROOT
from tests.conftest import administration
from tests.server import Server

CONFIG = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "4")
FIRST = {"username": "first", "email": "first@example.org", "password": "correct horse battery"}
METHODS = ("get", "put", "patch", "post")
SEED = os.environ.get("SCHEMATHESIS_SEED", "1")


@pytest.mark.parametrize("caller", ["nobody", "a superuser"])
def test_every_answer_is_as_documented(server: Server, tmp_path: Path, caller: str) -> None:
    leave_low_numbers_to_others(server)
    headers = {} if caller == "nobody" else server.sign_in()
    operations = count_operations(server)
    told = schemathesis(server, headers, tmp_path)
    assert told.returncode == 0, told.stdout + told.stderr
    assert f"Tested: {operations}\n" in told.stdout
    summary = re.search(r"([0-9,]+) generated, \1 passed", told.stdout)
    assert summary is not None, told.stdout
    assert not headers or server.call("GET", "/api/v1/users/me", headers=headers)[0] == 200
    print(f"as {caller}: {summary[0]}")  # for pytest -rP


def leave_low_numbers_to_others(server: Server) -> None:
    """Number 1 of the examples is there, and nobody who calls has a number that is made up often:
    of one's own account much is refused before the rest of the request is judged.
    """
    server.call("POST", "/api/v1/auth/register", FIRST)
    with administration(server.environment["DATABASE_URL"]) as run:
        run("SELECT setval(pg_get_serial_sequence('users', 'id'), 1000 + max(id)) FROM users")


def schemathesis(
    server: Server, headers: dict[str, str], folder: Path
) -> subprocess.CompletedProcess[str]:
    """All checks, and for who is let in all phases; what it remembers goes to the folder."""
    places = {"PYTHONPATH": str(ROOT), "HYPOTHESIS_STORAGE_DIRECTORY": str(folder)}
    program = Path(sys.executable).with_name("schemathesis")
    settings = ["--config-file", str(settled(server, folder)), "--no-color"]
    token = headers.get("Authorization", "").removeprefix("Bearer ")
    signed_in = {"SCHEMATHESIS_TOKEN": token} if token else {}
    phases = [] if token else ["--phases=examples,fuzzing"]
    run = [f"{server.url}/api/v1/openapi.json", f"--max-examples={EXAMPLES}", f"--seed={SEED}"]
    return subprocess.run(
        [program, *settings, "run", *run, *phases],
        cwd=folder,
        env={**os.environ, **signed_in, **places},
        capture_output=True,
        text=True,
        check=False,
    )


def settled(server: Server, folder: Path) -> Path:
    """The settings, with what else is still there once it was deleted: what can be restored."""
    _, document, _ = server.call("GET", "/api/v1/openapi.json")
    items = {path.removesuffix("/restore") for path in document["paths"] if "/restore" in path}
    paths = [
        item for path, item in document["paths"].items() if path.removesuffix("/restore") in items
    ]
    soft = [it["operationId"] for item in paths for name, it in item.items() if name in METHODS]
    config = folder / CONFIG.name
    further = f"""
[[operations]]
include-operation-id = {json.dumps(soft)}
checks.use_after_free.enabled = false
"""
    config.write_text(CONFIG.read_text() + (further if soft else ""))
    return config


def count_operations(server: Server) -> int:
    """How many operations the document has."""
    _, document, _ = server.call("GET", "/api/v1/openapi.json")
    return sum(1 for path in document["paths"].values() for name in path if name != "parameters")
