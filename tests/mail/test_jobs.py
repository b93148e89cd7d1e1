"""Mails that jobs send: to whom, when, how often, and what is told of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from config import NAME, TITLE, Config
from project import create_app, mail, origin
from project.db import db, transaction
from project.errors import Refused
from project.http.app import App
from project.jobs import running
from project.jobs.tasks import rescue
from tests.auth.steps import AUTH, ME, NEW, bearer, found, pair_of, run
from tests.conftest import SECRET, administration, cloned
from tests.letters import mailed, read
from tests.mail.office import SENDER, TEXT, TO, Courier, Office
from tests.server import Server
from tests.users.make import PASSWORD, begun, make_user
from tests.work import work

EVE = {"username": "eve", "email": "eve@example.org", "password": PASSWORD}
SET_PASSWORD = ("users", "set-password", "ada", "--password", NEW)
SILENT = "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'"
WHOM = "SELECT args FROM procrastinate_jobs"


@pytest.fixture
def ada(app: App, isolated: None) -> int:
    with app.app_context(), transaction():
        return make_user(username="ada", email="ada@example.org").id


@pytest.fixture
def office(app: App, isolated: None, post: Courier, monkeypatch: pytest.MonkeyPatch) -> Office:
    """By which the application mails."""
    office, mailer = post()
    monkeypatch.setitem(app.extensions, "mailer", mailer)
    return office


def note(app: App, title: str = "A note", to: str = TO) -> None:
    with app.app_context(), transaction():
        mail.send("note", to=to, title=title, text=TEXT)


def subjects(app: App) -> list[tuple[str, str]]:
    return [(message["To"], message["Subject"]) for message in mailed(app)]


def test_who_has_a_new_account_is_welcomed(
    app: App, client: FlaskClient, superuser: dict[str, str]
) -> None:
    found(client.post(f"{AUTH}/register", json=EVE), 201)
    assert run(app, WHOM).keys() == {"user_id"}
    bob = {"username": "bob", "email": "bob@example.org", "password": PASSWORD}
    found(client.post("/api/v1/users/", json=bob, headers=superuser), 201)
    first, second = mailed(app)
    assert [each["To"] for each in (first, second)] == [EVE["email"], bob["email"]]
    assert first["Subject"] == f"Welcome to {TITLE}"
    assert "eve" in read(first).splitlines()


def test_who_gets_an_account_at_the_terminal_is_not_written_to(app: App, isolated: None) -> None:
    made = app.test_cli_runner().invoke(
        args=["users", "create", "eve", "eve@example.org", "--password", PASSWORD]
    )
    assert made.exit_code == 0
    assert subjects(app) == []


def own(app: App, client: FlaskClient, ada: int, by: dict[str, str]) -> None:
    headers = bearer(pair_of(client))
    sent = {"current_password": PASSWORD, "password": NEW}
    assert client.post(f"{ME}/password", json=sent, headers=headers).status_code == 204


def lost(app: App, client: FlaskClient, ada: int, by: dict[str, str]) -> None:
    with app.app_context(), transaction():
        sent = {"token": begun("ada@example.org"), "password": NEW}
    assert client.post(f"{AUTH}/password/reset", json=sent).status_code == 204


def given(app: App, client: FlaskClient, ada: int, by: dict[str, str]) -> None:
    found(client.patch(f"/api/v1/users/{ada}", json={"password": NEW}, headers=by))


def typed(app: App, client: FlaskClient, ada: int, by: dict[str, str]) -> None:
    assert app.test_cli_runner().invoke(args=SET_PASSWORD).exit_code == 0


@pytest.mark.parametrize("change", [own, lost, given, typed])
def test_whoever_changes_a_password_its_owner_is_told(
    app: App, client: FlaskClient, superuser: dict[str, str], ada: int, change: Callable[..., None]
) -> None:
    change(app, client, ada, superuser)
    at = run(app, "SELECT updated_at FROM users WHERE id = :id", id=ada)
    [message] = mailed(app)
    assert (message["To"], message["Subject"]) == ("ada@example.org", "Your password was changed")
    assert f"{at.day} {at:%B %Y, %H:%M} UTC" in read(message)
    assert NEW not in read(message)


def test_what_else_changes_is_not_told(
    app: App, client: FlaskClient, superuser: dict[str, str], ada: int
) -> None:
    sent = {"current_password": "wrong", "password": NEW}
    headers = bearer(pair_of(client))
    assert client.post(f"{ME}/password", json=sent, headers=headers).status_code == 400
    found(client.patch(f"/api/v1/users/{ada}", json={"bio": "x"}, headers=superuser))
    assert subjects(app) == []


@pytest.mark.parametrize(
    ("meanwhile", "told"),
    [
        ("DELETE FROM users WHERE username = 'eve'", []),
        ("UPDATE users SET is_active = false WHERE username = 'eve'", []),
        ("UPDATE users SET email = 'e@house.org' WHERE username = 'eve'", ["e@house.org"]),
    ],
)
def test_a_mail_goes_to_who_is_there_when_it_leaves(
    app: App, client: FlaskClient, meanwhile: str, told: list[str]
) -> None:
    found(client.post(f"{AUTH}/register", json=EVE), 201)
    run(app, meanwhile)
    assert [to for to, _ in subjects(app)] == told
    assert run(app, "SELECT status::text FROM procrastinate_jobs") == "succeeded"


@pytest.mark.parametrize("wrong", [Refused("no"), RuntimeError("no"), KeyboardInterrupt()])
def test_what_is_rolled_back_is_not_mailed(
    app: App, context: None, office: Office, wrong: BaseException
) -> None:
    def refuse() -> None:
        with transaction():
            mail.send("note", to=TO, title="Rolled back", text=TEXT)
            raise wrong

    with pytest.raises(type(wrong)):
        refuse()
    note(app, "Committed")
    assert office.envelopes == []  # and nothing before a worker is at it
    work(app)
    assert [message["Subject"] for message in office.messages] == ["Committed"]


def test_whoever_refuses_is_not_welcomed(app: App, client: FlaskClient, ada: int) -> None:
    taken = {**EVE, "username": "ada"}
    assert client.post(f"{AUTH}/register", json=taken).status_code == 400
    assert work(app) == 0


def test_mails_keep_their_order_and_have_ids_of_their_own(app: App, office: Office) -> None:
    for number in range(4):
        note(app, f"Number {number}")
    work(app)
    told = [(message["Subject"], message["Message-ID"]) for message in office.messages]
    assert [subject for subject, _ in told] == [f"Number {number}" for number in range(4)]
    ids = {id for _, id in told}
    assert len(ids) == 4
    assert all(id.startswith("<note.") and id.endswith("@example.com>") for id in ids)


def test_a_job_of_this_number_elsewhere_has_another_id(app: App, isolated: None) -> None:
    """Or the mailbox of somebody known to both would take the second mail for the first."""
    keys = []
    for request in ("request-1", "request-2"):
        with app.app_context():
            running._running.set(1)
            origin.enter(request)
            keys.append(running.key())
    assert keys[0] != keys[1]
    assert keys[0].partition(".")[0] == "1"


def test_a_server_that_is_busy_is_tried_again(app: App, office: Office) -> None:
    office.refuses = "451 Come again"
    note(app)
    waits = iter(["451 Come again", "", ""])

    def ask(*_: Any) -> None:
        office.refuses = next(waits)

    with app.app_context():
        listened(app, ask)
    assert [message["Subject"] for message in office.messages] == ["A note"]
    assert run(app, "SELECT attempts FROM procrastinate_jobs") == 2


def listened(app: App, before: Callable[[], object]) -> None:
    """Do what is queued, and something else before each attempt."""
    mailer = app.extensions["mailer"]

    class Listening(type(mailer)):  # type: ignore[misc]  # because it is whatever it is
        def deliver(self, *given: Any) -> None:
            before()
            super().deliver(*given)

    app.extensions["mailer"] = Listening(mailer.url, mailer.sender, mailer.folder)
    work(app)


def test_a_recipient_who_is_refused_for_good_is_not_tried_again(
    app: App, office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    office.refuses = f"550 No such user {TO}"
    note(app)
    assert work(app) == 1
    assert run(app, "SELECT error FROM jobs") == "The mail server refuses this mail (550)."
    listed = app.test_cli_runner().invoke(args=["jobs", "list", "--status", "failed"]).stdout
    assert "mail.send" in listed
    assert "(550)" in listed
    assert TO not in listed + capsys.readouterr().err


def test_a_server_that_stays_away_is_given_up_and_the_mail_can_be_sent_later(
    app: App, office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    office.refuses = "451 Come again"
    note(app)
    assert work(app) == 1 + len(mail.WAITS)
    id = run(app, "SELECT id FROM jobs WHERE finished_at IS NOT NULL")
    assert run(app, "SELECT error FROM jobs") == "The mail did not leave (451)."
    assert TO not in capsys.readouterr().err
    office.refuses = ""
    assert app.test_cli_runner().invoke(args=["jobs", "retry", str(id)]).exit_code == 0
    work(app)
    assert len(office.envelopes) == 1


def test_no_transaction_waits_for_the_mail_server(app: App, office: Office) -> None:
    seen: list[bool] = []
    note(app)
    listened(app, lambda: seen.append(db.session().in_transaction()))
    assert seen == [False]


@contextmanager
def posting(postgres: str, template: str, folder: Path, office: Office) -> Iterator[Server]:
    """A place where workers may be started, which mail by this office."""
    with cloned(postgres, template, f"{NAME}_mail_{os.getpid()}") as url:
        yield Server(
            url, folder, SECRET, MAIL_URL=f"smtp://127.0.0.1:{office.port}", MAIL_FROM=SENDER
        )


def test_a_mail_that_was_taken_when_the_worker_died_is_sent_again_under_its_id(
    postgres: str, template: str, tmp_path: Path, post: Courier
) -> None:
    """At least once, and whoever reads mail can tell that it is the same."""
    office, _ = post()
    with posting(postgres, template, tmp_path, office) as place:
        url = place.environment["DATABASE_URL"]
        app = create_app(Config(database_url=url, secret_key=SECRET))
        with app.app_context(), transaction():
            make_user(username="ada", email=TO)
            mail.send("welcome", to=TO, username="ada")
        with place.worker() as dying:
            office.when_taken = lambda: os.kill(dying.pid, signal.SIGKILL)
            assert dying.wait(30) == -signal.SIGKILL
        office.when_taken = int
        with app.app_context():
            with transaction():
                db.session.execute(text(SILENT))
                rescue()  # which the next worker would do, and then ask again five seconds later
            db.engine.dispose()
        with place.worker(), administration(url) as do:
            deadline = time.monotonic() + 30
            while do("SELECT FROM procrastinate_jobs WHERE status <> 'succeeded'"):
                assert time.monotonic() < deadline
                time.sleep(0.05)
        first, second = office.messages
        assert first["Message-ID"] == second["Message-ID"]
        assert read(first) == read(second)
        assert TO not in place.log.read_text()
