"""What surrounds a process goes wrong: its log, its port, its database's encoding."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from config import NAME, ROOT, Config
from project import create_app
from project.db import db
from tests.conftest import SECRET, administration, at, cloned, migrate
from tests.server import Server

ODD = "ÄPFEL 日本 😀"


def test_a_log_that_cannot_be_written_fails_no_request(
    postgres: str, template: str, tmp_path: Path
) -> None:
    (tmp_path / "gunicorn.log").symlink_to("/dev/full")
    with (
        cloned(postgres, template, f"{NAME}_full_{secrets.token_hex(4)}") as url,
        Server(url, tmp_path, SECRET) as server,
    ):
        token = server.sign_in()
        changed = server.call("PATCH", "/api/v1/users/me", {"bio": "Counts."}, token)
        assert changed[0] == 200


def test_a_port_in_use_is_told_before_the_password_is(
    postgres: str, template: str, tmp_path: Path
) -> None:
    with (
        cloned(postgres, template, f"{NAME}_port_{secrets.token_hex(4)}") as url,
        socket.create_server(("127.0.0.1", 0)) as taken,
    ):
        port = taken.getsockname()[1]
        settings = {"DATABASE_URL": url, "SECRET_KEY": SECRET, "PORT": str(port)}
        ended = subprocess.run(
            [sys.executable, "-m", "flask", "welcome"],
            cwd=ROOT,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr == f"Error: PORT {port} is in use; try make run PORT={port + 1}.\n"
        with administration(url) as run:
            assert run("SELECT FROM users") == 0


@pytest.mark.parametrize("encoding", ["UTF8", "SQL_ASCII"])
def test_text_survives_a_database_of_this_encoding(postgres: str, encoding: str) -> None:
    name = f"{NAME}_{encoding.lower()}_{secrets.token_hex(4)}"
    with administration(postgres) as run:
        run(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        migrate(at(postgres, name))
        app = create_app(Config(database_url=at(postgres, name), secret_key=SECRET))
        with app.app_context():
            insert = "INSERT INTO users (username, email, hashed_password, full_name) "
            insert += "VALUES ('ada', 'a', '', :name) RETURNING full_name"
            assert db.session.scalar(text(insert), {"name": ODD}) == ODD
            db.session.remove()
            db.engine.dispose()
        run(f"DROP DATABASE {name} WITH (FORCE)")
