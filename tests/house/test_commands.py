"""Commands refuse in one sentence on standard error, with exit code 1 and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from config import NAME, ROOT
from tests.conftest import SECRET, administration, at

ABSENT = "postgresql://nobody:the-password@127.0.0.1:1/nothing"
CREATE = ("users", "create", "ada", "ada@example.org", "--password", "correct horse battery")


def refused(database_url: str, *command: str) -> str:
    """The one line of a command that fails."""
    ended = subprocess.run(
        [sys.executable, "-m", "flask", *command],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database_url, "SECRET_KEY": SECRET},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    [line] = ended.stderr.splitlines()
    return line


@pytest.mark.parametrize("command", [("db", "upgrade"), ("db", "check"), CREATE])
def test_a_database_that_is_not_there_is_named_but_not_its_password(command: list[str]) -> None:
    line = refused(ABSENT, *command)
    assert line.startswith("Error: The database is away; try again. (connection to server at")
    assert "the-password" not in line


def test_a_database_without_tables_is_told_from_a_bug(postgres: str) -> None:
    name = f"{NAME}_bare_{os.getpid()}"
    with administration(postgres) as run:
        run(f'CREATE DATABASE "{name}"')
        line = refused(at(postgres, name), *CREATE)
        run(f'DROP DATABASE "{name}" WITH (FORCE)')
    assert "run flask db upgrade" in line


def test_a_rule_refuses_in_its_own_words(database_url: str) -> None:
    given = ("ab", "ada@example.org", "--password", "correct horse")
    line = refused(database_url, "users", "create", *given)
    assert line == "Error: username: Must be at least 3 characters long."
