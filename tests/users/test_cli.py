"""`flask users`: one sentence, and an exit code to build on."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from click.testing import Result
from flask.testing import FlaskClient, FlaskCliRunner
from sqlalchemy import select, text

from config import Config
from project import create_app
from project.db import db
from project.http.app import App
from project.users import passwords
from project.users.models import User
from tests.conftest import SECRET
from tests.sessions.make import begin
from tests.users.conftest import Member, enter
from tests.users.make import HASHED, PASSWORD

ME = "/api/v1/users/me"
ADA = ("ada", "ada@example.org")
OTHER = "battery staple horse"
COMMON = "Must not be one of the most common passwords."
HALF = "Must not contain a NUL or half a character."
LAST = "Error: This is the last active superuser; make another first.\n"
HEAD = "    id  user name             e-mail                          active    superuser  since"
NAMED = [["deactivate"], ["sessions", "end"], ["set-password", "--password", OTHER]]


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
        ((*ADA, "--password", "iLoveYou"), f"password: {COMMON}"),
        (("ada\udcff", ADA[1], "--password", PASSWORD), f"username: {HALF}"),
        ((*ADA, "--password", f"{PASSWORD}\udcff"), f"password: {HALF}"),
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


@pytest.mark.parametrize(
    "command", [["create", *ADA, "--password", PASSWORD], ["list"], *([*n, "ada"] for n in NAMED)]
)
def test_a_database_that_is_away_is_one_sentence_and_one(command: list[str]) -> None:
    app = create_app(
        Config(database_url="postgresql+psycopg2://x@127.0.0.1:1/x", secret_key=SECRET)
    )
    result = app.test_cli_runner().invoke(args=["users", *command])
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.fullmatch(
        r"Error: The database is away; try again\. \(connection to [^\n]+\)\n", result.stderr
    )


@pytest.fixture
def ada(app: App, isolated: None) -> Member:
    return enter(app, username="ada", email="ada@exämple.org", full_name="Ada Lovelace")


def listed(runner: FlaskCliRunner, *given: str) -> list[list[str]]:
    """The words of each line but the first."""
    result = runner.invoke(args=["users", "list", *given])
    assert (result.exit_code, result.stderr) == (0, "")
    for secret in ("argon2", HASHED):
        assert secret not in result.output
    head, *lines = result.stdout.splitlines()
    assert head == HEAD
    return [line.split() for line in lines]


def test_accounts_are_listed_in_the_order_of_their_ids(
    app: App, runner: FlaskCliRunner, root: Member, ada: Member
) -> None:
    gone = enter(app, username="x" * 50, email="gone@example.org", is_active=False)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    lines = {
        "root": [str(root.id), "root", "root@house.org", "yes", "yes", today],
        "ada": [str(ada.id), "ada", "ada@exämple.org", "yes", "no", today],
        "gone": [str(gone.id), "x" * 50, "gone@example.org", "no", "no", today],
    }
    for given, expected in (
        ([], "root ada gone"),
        (["LOVELACE"], "ada"),
        (["exa\u0308mple"], "ada"),
        (["%"], ""),
        (["nobody"], ""),
        (["--inactive"], "gone"),
        (["--superusers"], "root"),
        (["--superusers", "--inactive"], ""),
        (["o", "--superusers"], "root"),
    ):
        assert listed(runner, *given) == [lines[name] for name in expected.split()]


def test_very_many_accounts_are_listed_too(app: App, runner: FlaskCliRunner, root: Member) -> None:
    with app.app_context():
        db.session.execute(
            text(
                "INSERT INTO users (email, username, hashed_password) "
                "SELECT 'm' || n || '@example.org', 'm-' || n, 'x' FROM generate_series(1, 2500) n"
            )
        )
        db.session.commit()
    assert len(listed(runner)) == 2501


@pytest.mark.parametrize("name", ["ada", " ADA ", "Ada@Exämple.org", "ada@exa\u0308mple.org\n"])
def test_an_account_is_named_in_any_spelling_that_signs_in(
    app: App, client: FlaskClient, runner: FlaskCliRunner, ada: Member, name: str
) -> None:
    with app.app_context():
        begin(db.session.get_one(User, ada.id))
        db.session.commit()
    result = runner.invoke(args=["users", "sessions", "end", name])
    assert (result.exit_code, result.stdout) == (0, "Ended 2 sessions of ada.\n")
    assert client.get(ME, headers=ada.headers).status_code == 401
    result = runner.invoke(args=["users", "sessions", "end", name])
    assert (result.exit_code, result.stdout) == (0, "Ended 0 sessions of ada.\n")
    result = runner.invoke(args=["users", "set-password", name, "--password", OTHER])
    assert (result.exit_code, result.stdout) == (0, "Set the password of ada.\n")
    assert passwords.matches(stored(app, "ada").hashed_password, OTHER)
    result = runner.invoke(args=["users", "deactivate", name])
    assert (result.exit_code, result.stdout) == (0, "Deactivated ada.\n")
    assert stored(app, "ada").is_active is False


@pytest.mark.parametrize("command", NAMED, ids=str)
@pytest.mark.parametrize("name", ["nobody", "ad", "ada%", "a_a", "ada@example.com", "' OR 1=1 --"])
def test_who_is_not_there_is_one_sentence_and_one(
    runner: FlaskCliRunner, ada: Member, command: list[str], name: str
) -> None:
    result = runner.invoke(args=["users", *command, name])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: There is no user {name!r}.\n"


@pytest.mark.parametrize("command", [*NAMED, ["list"]], ids=str)
@pytest.mark.parametrize("name", ["\udcff", "a\udc80b", "x" * 5000, "a" + "\u0301" * 31])
def test_what_no_account_can_be_called_is_one_sentence_and_one(
    runner: FlaskCliRunner, ada: Member, command: list[str], name: str
) -> None:
    result = runner.invoke(args=["users", *command, name])
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.fullmatch(r"Error: [^\n]+\.\n", result.stderr)


def test_sessions_that_end_are_those_of_one_account(
    client: FlaskClient, runner: FlaskCliRunner, root: Member, ada: Member
) -> None:
    result = runner.invoke(args=["users", "sessions", "end", "ada"])
    assert (result.exit_code, result.stdout) == (0, "Ended 1 session of ada.\n")
    assert client.get(ME, headers=root.headers).status_code == 200


def test_deactivation_ends_sessions(
    client: FlaskClient, runner: FlaskCliRunner, root: Member, ada: Member
) -> None:
    assert runner.invoke(args=["users", "deactivate", "ada"]).exit_code == 0
    active = {"is_active": True}
    address = f"/api/v1/users/{ada.id}"
    assert client.patch(address, json=active, headers=root.headers).status_code == 200
    assert client.get(ME, headers=ada.headers).status_code == 401


def test_the_last_superuser_is_not_deactivated(
    app: App, client: FlaskClient, runner: FlaskCliRunner, root: Member
) -> None:
    enter(app, is_superuser=True, is_active=False)
    result = runner.invoke(args=["users", "deactivate", "root"])
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", LAST)
    assert client.get(ME, headers=root.headers).status_code == 200
    enter(app, is_superuser=True)
    assert runner.invoke(args=["users", "deactivate", "root"]).exit_code == 0


def test_a_new_password_is_asked_for_twice_not_shown_and_ends_sessions(
    app: App, client: FlaskClient, runner: FlaskCliRunner, ada: Member
) -> None:
    command = ["users", "set-password", "ada"]
    result = runner.invoke(args=command, input=f"{OTHER}\n{OTHER}\n")
    assert result.exit_code == 0
    assert OTHER not in result.output
    assert passwords.matches(stored(app, "ada").hashed_password, OTHER)
    assert client.get(ME, headers=ada.headers).status_code == 401
    result = runner.invoke(args=command, input=f"{PASSWORD}\n{PASSWORD} \n")
    assert result.exit_code == 1
    assert PASSWORD not in result.output
    assert passwords.matches(stored(app, "ada").hashed_password, OTHER)


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("short", "Must be at least 8 characters long."),
        ("x" * 129, "Must be at most 128 characters long."),
        ("Password1", COMMON),
        (f"{OTHER}\udcff", HALF),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_a_new_password_that_does_not_validate_is_one_sentence_and_one(
    app: App, client: FlaskClient, runner: FlaskCliRunner, ada: Member, password: str, sentence: str
) -> None:
    result = runner.invoke(args=["users", "set-password", "ada", "--password", password])
    said = (1, "", f"Error: password: {sentence}\n")
    assert (result.exit_code, result.stdout, result.stderr) == said
    assert stored(app, "ada").hashed_password == HASHED
    assert client.get(ME, headers=ada.headers).status_code == 200
