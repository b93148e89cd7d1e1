"""A lost password: a token by mail, once, within the hour, and no word about who has an account."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from markupsafe import escape

from project import mail
from project.auth import service
from project.db import transaction
from project.errors import Refused
from project.http.app import App
from project.mail import WAITS, Unanswered
from project.mail.transport import Delayed, Mailer
from project.users import service as users
from tests.auth.discreet import told
from tests.auth.steps import (
    AUTH,
    ME,
    NEW,
    alive,
    bearer,
    found,
    pair_of,
    ratios,
    refresh,
    run,
    sign_in,
)
from tests.letters import mailed, read, token_in
from tests.server import free_port
from tests.users.make import PASSWORD, make_user
from tests.work import work

ADDRESS = "ada@example.org"
FORGOT, RESET = f"{AUTH}/password/forgot", f"{AUTH}/password/reset"


@pytest.fixture(autouse=True)
def _empty(app: App) -> None:
    mailed(app)


def forgot(client: FlaskClient, email: Any = ADDRESS) -> Any:
    return client.post(FORGOT, json={"email": email})


def reset(client: FlaskClient, token: Any, password: Any = NEW) -> Any:
    return client.post(RESET, json={"token": token, "password": password})


def token_of(app: App, client: FlaskClient, email: str = ADDRESS) -> str:
    """The token that is mailed to this address."""
    assert forgot(client, email).status_code == 202
    [message] = mailed(app)
    return token_in(message)


def refused(client: FlaskClient, token: Any, password: str = NEW) -> None:
    refusal = found(reset(client, token, password), 400)
    assert refusal["code"] == "invalid_reset_token"


def test_whoever_asks_gets_the_same_answer_and_only_the_active_a_mail(
    app: App, client: FlaskClient, ada: int
) -> None:
    answers = [
        forgot(client, email)
        for email in (ADDRESS, " ADA@Example.ORG ", "nobody@example.org", "bob@example.org")
    ]
    assert {(answer.status_code, answer.data) for answer in answers} == {(202, b"")}
    headers = [[*each.headers] for each in answers]
    without = [[item for item in each if item[0] != "X-Request-Id"] for each in headers]
    assert without == [without[0]] * 4
    assert [message["To"] for message in mailed(app)] == [ADDRESS] * 2


def test_a_mail_tells_whose_password_it_is_and_how_to_replace_it(
    app: App, client: FlaskClient, ada: int
) -> None:
    assert forgot(client).status_code == 202
    [message] = mailed(app)
    assert message["Subject"] == "Choose a new password"
    assert message["From"] == app.config["MAIL_FROM"]
    lines = read(message).splitlines()
    assert "ada." in lines
    assert "POST /api/v1/auth/password/reset" in read(message)
    [line] = [line for line in lines if line.startswith("{")]
    assert json.loads(line) == {"token": token_in(message), "password": "..."}
    assert reset(client, json.loads(line)["token"]).status_code == 204


@pytest.mark.parametrize(
    "page",
    [
        "https://shop.example.org/choose?token={token}",
        "https://shop.example.org/{token}/choose",
        f"https://shop.example.org/{'x' * 300}#token={{token}}",
        "http://127.0.0.1:3000/?a={b}&%7B&token={token}",
    ],
)
def test_where_there_is_a_page_the_mail_links_to_it(
    app: App, client: FlaskClient, ada: int, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "RESET_URL", page)
    assert forgot(client).status_code == 202
    [message] = mailed(app)
    before, after = page.split("{token}")
    [link] = [line for line in read(message).splitlines() if line.startswith("http")]
    assert {*re.findall('href="([^"]*)"', read(message, "html"))} == {str(escape(link))}
    assert link.startswith(before)
    assert link.endswith(after)
    token = link.removeprefix(before).removesuffix(after)
    assert "/api/" not in read(message)
    assert reset(client, token).status_code == 204


def test_a_token_replaces_the_password_once_and_ends_every_session(
    app: App, client: FlaskClient, ada: int
) -> None:
    pairs = [pair_of(client) for _ in range(2)]
    token = token_of(app, client)
    assert all(alive(client, pair) for pair in pairs)  # asking changes nothing
    answer = reset(client, token)
    assert (answer.status_code, answer.data) == (204, b"")
    for pair in pairs:
        assert not alive(client, pair)
        found(refresh(client, pair["refresh_token"]), 401)
    found(sign_in(client), 401)
    pair = pair_of(client, password=NEW)
    assert found(client.get(ME, headers=bearer(pair)))["version"] == 2
    for password in (NEW, PASSWORD):
        refused(client, token, password)
    assert alive(client, pair)


def test_a_token_is_kept_as_a_hash(app: App, client: FlaskClient, ada: int) -> None:
    token = token_of(app, client)
    kept = run(app, "SELECT string_agg(t::text, ' ') FROM password_resets t")
    assert "\\x" in kept
    for spelling in (token, token.encode().hex()):
        assert spelling not in kept
    for spelling in ("hex", "base64"):
        refused(client, run(app, f"SELECT encode(hash, '{spelling}') FROM password_resets"))
    assert reset(client, token).status_code == 204


def test_a_token_counts_for_an_hour(app: App, client: FlaskClient, ada: int) -> None:
    token = token_of(app, client)
    assert run(app, "SELECT bool_and(expires_at = now() + interval '1 hour') FROM password_resets")
    run(app, "UPDATE password_resets SET expires_at = now()")
    refused(client, token)
    found(sign_in(client))
    run(app, "UPDATE password_resets SET expires_at = now() + interval '1 second'")
    assert reset(client, token).status_code == 204


def test_nothing_is_kept_of_who_has_no_account(app: App, client: FlaskClient, ada: int) -> None:
    for email in ("nobody@example.org", "bob@example.org"):
        assert forgot(client, email).status_code == 202
    assert work(app) == 2
    assert run(app, "SELECT count(*) FROM password_resets") == 0
    assert run(app, "SELECT count(*) FROM jobs WHERE result IS NULL AND error IS NULL") == 2


def test_who_asks_twice_may_use_either_mail_but_not_both(
    app: App, client: FlaskClient, ada: int
) -> None:
    first, second = (token_of(app, client) for _ in range(2))
    assert first != second
    assert reset(client, first).status_code == 204
    refused(client, second)


def test_a_token_is_nobody_else_s(app: App, client: FlaskClient, ada: int) -> None:
    with app.app_context(), transaction():
        make_user(username="eve", email="eve@example.org")
    token, other = token_of(app, client), token_of(app, client, "eve@example.org")
    assert reset(client, token).status_code == 204
    found(sign_in(client, "eve"))
    assert reset(client, other, "yet another staple").status_code == 204
    found(sign_in(client, "ada", NEW))


def test_a_password_that_is_refused_does_not_use_the_token(
    app: App, client: FlaskClient, ada: int
) -> None:
    token = token_of(app, client)
    for password, code in (("short67", "too_short"), ("PassWord1", "too_common"), (None, "null")):
        [error] = found(reset(client, token, password), 422)["errors"]
        assert (error["field"], error["code"]) == ("password", code)
    assert reset(client, token).status_code == 204


@pytest.mark.parametrize(
    "happens",
    [
        {"email": "countess@example.org"},
        {"is_active": False},
        {"password": "yet another staple"},
    ],
    ids=str,
)
def test_a_token_mailed_before_is_void(
    app: App, client: FlaskClient, ada: int, happens: dict[str, Any]
) -> None:
    token = token_of(app, client)
    with app.app_context(), transaction():
        users.update(ada, happens, by=None)
    refused(client, token)
    run(app, "UPDATE users SET is_active = true")
    refused(client, token)


@pytest.mark.parametrize("path", ["bulk-status", "own address"])
def test_a_token_is_void_however_it_came_to_that(
    app: App, client: FlaskClient, superuser: dict[str, str], ada: int, path: str
) -> None:
    token = token_of(app, client)
    if path == "bulk-status":
        sent: dict[str, Any] = {"ids": [ada], "is_active": False}
        found(client.post("/api/v1/users/bulk-status", json=sent, headers=superuser))
    else:
        own = bearer(pair_of(client))
        found(client.patch(ME, json={"email": "countess@example.org"}, headers=own))
    refused(client, token)


def test_what_else_changes_leaves_the_token_alone(app: App, client: FlaskClient, ada: int) -> None:
    token = token_of(app, client)
    own = bearer(pair_of(client))
    found(client.patch(ME, json={"bio": "Writes programs.", "username": "countess"}, headers=own))
    assert reset(client, token).status_code == 204


def test_a_deleted_user_leaves_no_token(app: App, client: FlaskClient, ada: int) -> None:
    token = token_of(app, client)
    run(app, "DELETE FROM users WHERE username = 'ada'")
    refused(client, token)


@pytest.mark.parametrize("token", ["x", "x" * 43, " ", "é", "null", "eyJhbGciOiJub25lIn0.", "%"])
def test_a_token_that_is_not_ours_is_refused(client: FlaskClient, token: str) -> None:
    refused(client, token)


def test_tokens_for_another_purpose_are_refused(client: FlaskClient, ada: int) -> None:
    pair = pair_of(client)
    for name in ("refresh_token", "access_token"):
        refused(client, pair[name])
    found(refresh(client, pair["refresh_token"]))


def test_a_token_of_the_mail_refreshes_nothing(app: App, client: FlaskClient, ada: int) -> None:
    token = token_of(app, client)
    found(refresh(client, token), 401)
    assert not alive(client, {"access_token": token})
    assert reset(client, token).status_code == 204


@pytest.mark.parametrize(
    "email", [None, "", 5, "ada", "ada@", ["ada@example.org"], "x" * 300, "a@b.c\nbcc: d@e.fg"]
)
def test_what_is_no_address_is_refused(client: FlaskClient, email: Any) -> None:
    [error] = found(forgot(client, email), 422)["errors"]
    assert error["field"] == "email"


@pytest.mark.parametrize("token", [None, "", 5, [], {}])
def test_what_is_no_string_is_refused(client: FlaskClient, token: Any) -> None:
    [error] = found(reset(client, token), 422)["errors"]
    assert error["field"] == "token"


def forget_and(wrong: Exception) -> None:
    with transaction():
        service.forgot(ADDRESS)
        raise wrong


def test_nothing_is_mailed_of_what_was_rolled_back(app: App, ada: int) -> None:
    with app.app_context():
        for wrong in (Refused("no"), RuntimeError("no")):
            with pytest.raises(type(wrong)):
                forget_and(wrong)
    assert work(app) == 0
    assert mailed(app) == []


def test_neither_token_nor_address_stays_in_the_queue(
    app: App, client: FlaskClient, ada: int
) -> None:
    token = token_of(app, client)
    for table in ("procrastinate_jobs", "procrastinate_events", "jobs"):
        kept = run(app, f"SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} t")
        assert ADDRESS not in kept
        assert token not in kept


def test_nobody_is_told_how_it_went(
    app: App, client: FlaskClient, signed_in: dict[str, str], ada: int
) -> None:
    """How long it took, or that a mail server refused it, would tell that there was a mail."""
    headers = {**signed_in, "Idempotency-Key": "a"}  # for which it is asked who calls
    answer = client.post(FORGOT, json={"email": ADDRESS}, headers=headers)
    assert answer.status_code == 202
    id = run(app, "SELECT max(id) FROM jobs")
    assert client.get(f"/api/v1/jobs/{id}", headers=signed_in).status_code == 403
    logged = run(app, "SELECT request_id FROM jobs")
    assert logged == answer.headers["X-Request-Id"]


def test_a_reset_is_logged_and_tells_nothing(
    app: App, client: FlaskClient, ada: int, capsys: pytest.CaptureFixture[str]
) -> None:
    reset(client, token_of(app, client))
    logged = capsys.readouterr().err
    events = Counter(json.loads(line)["event"] for line in logged.splitlines())
    expected = {"mail.written": 1, "job.done": 1, "user.password_changed": 1, "request": 2}
    assert events == expected
    assert told(logged) == []


def test_the_database_is_asked_the_same_whoever_asks(
    app: App, client: FlaskClient, ada: int, statements: list[str]
) -> None:
    seen = []
    for email in (ADDRESS, "nobody@example.org", "bob@example.org"):
        statements.clear()
        forgot(client, email)
        seen.append([*statements])
    assert seen == [seen[0]] * 3
    assert not any("users" in statement for statement in seen[0])
    assert len(seen[0]) == 1


def test_time_tells_nothing(
    app: App, client: FlaskClient, ada: int, capsys: pytest.CaptureFixture[str]
) -> None:
    addresses = (ADDRESS, "nobody@example.org", "bob@example.org")
    calls = {each: partial(forgot, client, each) for each in addresses}
    for _ in range(10):  # a machine may be busy; work left out is never near
        nobody, bob = ratios(calls, 30)
        if 0.75 < nobody < 1.25 and 0.75 < bob < 1.25:
            break
    with capsys.disabled():
        print(f" [forgot: nobody {nobody:.3f}, bob {bob:.3f}] ", end="")
    assert [nobody, bob] == [pytest.approx(1, abs=0.25)] * 2


def test_a_mail_that_does_not_leave_leaves_no_token_and_is_tried_again(
    app: App,
    client: FlaskClient,
    ada: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(app.extensions, "mailer", away())
    answer = forgot(client)
    assert work(app) == 1 + len(WAITS)
    assert run(app, "SELECT count(*) FROM password_resets") == 0
    assert run(app, "SELECT status::text FROM procrastinate_jobs") == "failed"
    logged = capsys.readouterr().err
    failed = [line for line in map(json.loads, logged.splitlines()) if line["level"] == "error"]
    assert {line["event"] for line in failed} == {"mail.failed", "job.failed"}
    assert {line["request_id"] for line in failed} == {answer.headers["X-Request-Id"]}
    assert told(logged) == []


def test_every_attempt_makes_a_token_of_its_own(
    app: App, client: FlaskClient, ada: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    def deliver(_: str, *, token: str, **__: Any) -> None:
        sent.append(token)
        if len(sent) == 1:
            raise Delayed("Later.")

    monkeypatch.setattr(mail, "deliver", deliver)
    forgot(client)
    assert work(app) == 2
    first, second = sent
    refused(client, first)
    assert reset(client, second).status_code == 204


def test_a_token_that_may_have_arrived_stays_good(
    app: App, client: FlaskClient, ada: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mailbox shows one of two mails that have one Message-ID: either must be of use."""
    sent: list[str] = []

    def deliver(_: str, *, token: str, **__: Any) -> None:
        sent.append(token)
        if len(sent) == 1:
            raise Unanswered("Perhaps.")

    monkeypatch.setattr(mail, "deliver", deliver)
    forgot(client)
    work(app)
    first, second = sent
    assert reset(client, first).status_code == 204
    refused(client, second)


def away() -> Mailer:
    """By a server that does not listen."""
    return Mailer(f"smtp://127.0.0.1:{free_port()}", "shop@example.org", Path("/nowhere"))
