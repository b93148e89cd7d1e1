"""`flask users create`: one sentence, and an exit code to build on."""

from __future__ import annotations

import re

import pytest
from click.testing import Result
from flask.testing import FlaskCliRunner
from sqlalchemy import select

from config import Config
from project import create_app
from project.db import db
from project.http.app import App
from project.users import passwords
from project.users.models import User
from tests.conftest import SECRET
from tests.users.make import PASSWORD

ADA = ("ada", "ada@example.org")


@pytest.fixture
def runner(app: App, isolated: None) -> FlaskCliRunner:
    return app.test_cli_runner()


def create(runner: FlaskCliRunner, *given: str, typed: str | None = None) -> Result:
    return runner.invoke(args=["users", "create", *given], input=typed)


def stored(app: App, username: str) -> User:
    with app.app_context():
        return db.session.scalars(select(User).filter_by(username=username)).one()


@pytest.mark.parametrize("superuser", [False, True])
def test_an_account_is_created_and_named(app: App, runner: FlaskCliRunner, superuser: bool) -> None:
    flags = ["--superuser"] if superuser else []
    given = (" ADA ", "Ada@Example.org", "--password", " exact Password ", *flags)
    result = create(runner, *given)
    assert result.exit_code == 0
    assert '"event": "user.created"' in result.stderr
    user = stored(app, "ada")
    assert result.stdout == f"Created user ada with id {user.id}.\n"
    assert (user.email, user.is_superuser, user.is_active) == (ADA[1], superuser, True)
    assert passwords.matches(user.hashed_password, " exact Password ")


def test_a_password_is_asked_for_twice_and_not_shown(app: App, runner: FlaskCliRunner) -> None:
    result = create(runner, *ADA, typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0
    assert PASSWORD not in result.output
    assert passwords.matches(stored(app, "ada").hashed_password, PASSWORD)


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (("ada", "b@example.org"), "Error: User name 'ada' is taken\n"),
        (("ADA", "b@example.org"), "Error: User name 'ada' is taken\n"),
        (("bob", "ADA@example.org"), "Error: E-mail 'ada@example.org' is taken\n"),
    ],
)
def test_a_name_that_is_taken_is_one_sentence_and_one(
    runner: FlaskCliRunner, second: tuple[str, str], sentence: str
) -> None:
    assert create(runner, *ADA, "--password", PASSWORD).exit_code == 0
    result = create(runner, *second, "--password", PASSWORD)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", sentence)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("ab", ADA[1], "--password", PASSWORD), "username: Must be at least 3 characters long."),
        (
            ("a b c", ADA[1], "--password", PASSWORD),
            "username: Must consist of the letters a-z, digits, _ and -.",
        ),
        (("ada", "ada", "--password", PASSWORD), "email: Must be a valid e-mail address."),
        ((*ADA, "--password", "short"), "password: Must be at least 8 characters long."),
        ((*ADA, "--password", "x" * 129), "password: Must be at most 128 characters long."),
    ],
)
def test_what_does_not_validate_is_one_sentence_and_one(
    runner: FlaskCliRunner, given: tuple[str, ...], sentence: str
) -> None:
    result = create(runner, *given)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"Error: {sentence}\n")


def test_several_wrong_fields_are_all_named(runner: FlaskCliRunner) -> None:
    result = create(runner, "ab", "ada", "--password", "short")
    assert result.exit_code == 1
    wrong = r"Error: (\w+: [^\n:]+\.){3}\n"
    assert re.fullmatch(wrong, result.stderr.replace(". ", "."))
    assert "short" not in result.output


@pytest.mark.parametrize("given", [(), ("ada",), (*ADA, "x"), (*ADA, "--admin")])
def test_wrong_usage_is_two(runner: FlaskCliRunner, given: tuple[str, ...]) -> None:
    assert create(runner, *given, "--password", PASSWORD).exit_code == 2


def test_a_database_that_is_away_is_one_sentence_and_one() -> None:
    app = create_app(
        Config(database_url="postgresql+psycopg2://x@127.0.0.1:1/x", secret_key=SECRET)
    )
    result = create(app.test_cli_runner(), *ADA, "--password", PASSWORD)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: The database is away; try again. (connection to")
