"""A client generated from the document is typed to the last line, and works."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.server import Server

PROGRAM = """
import sys

from generated.api.auth import login
from generated.api.users import create_user, get_me, list_users, patch_user
from generated.client import AuthenticatedClient, Client
from generated.models import LoginIn, Problem, TokenOut, UserIn, UserOut, UserPage, UserPatch

url, user, password = sys.argv[1:]
token = login.sync(client=Client(base_url=url), body=LoginIn(user, password))
assert isinstance(token, TokenOut)
client = AuthenticatedClient(base_url=url, token=token.access_token)

ada = create_user.sync(client=client, body=UserIn("ada@example.org", "ada", "correct horse 1"))
assert isinstance(ada, UserOut)
assert (ada.username, ada.is_active, ada.bio) == ("ada", True, None)

page = list_users.sync(client=client, q="AD", is_active=True, sort="-username,id", limit=1)
assert isinstance(page, UserPage)
assert (len(page.items), page.total, isinstance(page.next_cursor, str)) == (1, 2, True)

found = list_users.sync(client=client, q="ADA@")
assert isinstance(found, UserPage)
assert (found.items, found.next_cursor) == ([ada], None)

changed = patch_user.sync(ada.id, client=client, body=UserPatch(bio="Counts."), if_match="*")
assert isinstance(changed, UserOut)
assert (changed.bio, changed.version) == ("Counts.", 2)

stale = patch_user.sync(ada.id, client=client, body=UserPatch(bio="No."), if_match='"1-0"')
assert isinstance(stale, Problem)
assert (stale.status, stale.code) == (412, "stale_version")

taken = create_user.sync(client=client, body=UserIn("ada@example.org", "eve", "correct horse 1"))
assert isinstance(taken, Problem)
assert (taken.status, taken.code) == (400, "duplicate_email")

wrong = create_user.sync(client=client, body=UserIn("nobody", "x", "correct horse 1"))
assert isinstance(wrong, Problem) and isinstance(wrong.errors, list)
assert {problem.field for problem in wrong.errors} == {"email", "username"}

me = get_me.sync_detailed(client=client)
assert isinstance(me.parsed, UserOut)
unchanged = get_me.sync_detailed(client=client, if_none_match=me.headers["ETag"])
assert unchanged.status_code == 304
"""


@pytest.fixture
def program(client: FlaskClient, tmp_path: Path) -> Path:
    """The program above, beside the package it imports, generated without a complaint."""
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(client.get("/api/v1/openapi.json").json))
    config = tmp_path / "config.json"
    config.write_text('{"post_hooks": []}')  # else ruff changes types to ones that are wrong
    files = f"--path={document}", f"--output-path={tmp_path / 'generated'}", f"--config={config}"
    made = run("openapi-python-client", "generate", "--meta=none", "--fail-on-warning", *files)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "Skipping" not in made.stdout
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


def test_a_generated_client_is_typed_strictly(program: Path) -> None:
    cache, package = f"--cache-dir={program.parent / 'cache'}", program.parent / "generated"
    checked = run("mypy", "--strict", "--config-file=", cache, str(package), str(program))
    assert checked.returncode == 0, checked.stdout


def test_a_generated_client_works(program: Path, server: Server) -> None:
    server.sign_in()
    call = [sys.executable, "-W", "error", str(program), server.url, "admin"]
    called = subprocess.run(
        [*call, "correct horse battery"], capture_output=True, text=True, check=False
    )
    assert called.returncode == 0, called.stderr


def run(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of this virtualenv."""
    command = [str(Path(sys.executable).with_name(tool)), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)
