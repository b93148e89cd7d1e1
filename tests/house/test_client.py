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

from stockroom.api.auth import login
from stockroom.api.products import adjust_stock, create_product, get_product, search_products
from stockroom.client import AuthenticatedClient, Client
from stockroom.models import LoginIn, Problem, ProductIn, ProductOut, ProductPage, TokenOut

url, user, password = sys.argv[1:]
token = login.sync(client=Client(base_url=url), body=LoginIn(user, password))
assert isinstance(token, TokenOut)
client = AuthenticatedClient(base_url=url, token=token.access_token)

lamp = create_product.sync(client=client, body=ProductIn("Lamp", "29.90", stock=5))
assert isinstance(lamp, ProductOut)
assert (lamp.price, lamp.stock, lamp.description) == ("29.90", 5, None)
assert get_product.sync(lamp.id, client=client) == lamp

page = search_products.sync(client=client, q="LAM", in_stock=True, sort="-price,name")
assert isinstance(page, ProductPage)
assert (page.items, page.total, page.next_cursor) == ([lamp], 1, None)

moved = adjust_stock.sync(lamp.id, client=client, quantity=-2, reason="sold", if_match="*")
assert isinstance(moved, ProductOut)
assert (moved.stock, moved.version) == (3, 2)

refused = adjust_stock.sync(lamp.id, client=client, quantity=-10)
assert isinstance(refused, Problem)
assert (refused.status, refused.code) == (400, "insufficient_stock")
assert refused.detail == "Insufficient stock. Current: 3, Requested: 10"

taken = create_product.sync(client=client, body=ProductIn("Lamp", 1))
assert isinstance(taken, Problem)
assert taken["conflict"] == {"id": lamp.id, "is_active": True}

wrong = create_product.sync(client=client, body=ProductIn("", 1.999))
assert isinstance(wrong, Problem) and isinstance(wrong.errors, list)
assert {problem.field for problem in wrong.errors} == {"name", "price"}

unchanged = get_product.sync_detailed(lamp.id, client=client, if_none_match=f'"{lamp.id}-2"')
assert unchanged.status_code == 304
"""


@pytest.fixture
def program(client: FlaskClient, tmp_path: Path) -> Path:
    """The program above, beside the package it imports, generated without a complaint."""
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(client.get("/api/v1/openapi.json").json))
    config = tmp_path / "config.json"
    config.write_text('{"post_hooks": []}')  # else ruff changes types to ones that are wrong
    files = f"--path={document}", f"--output-path={tmp_path / 'stockroom'}", f"--config={config}"
    made = run("openapi-python-client", "generate", "--meta=none", "--fail-on-warning", *files)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "Skipping" not in made.stdout
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


def test_a_generated_client_is_typed_strictly(program: Path) -> None:
    cache, package = f"--cache-dir={program.parent / 'cache'}", program.parent / "stockroom"
    checked = run("mypy", "--strict", "--config-file=", cache, str(package), str(program))
    assert checked.returncode == 0, checked.stdout


def test_a_generated_client_sells_lamps(program: Path, server: Server) -> None:
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
