"""A lost password: a token by mail, once, within the hour, and no word about who has an account."""

from __future__ import annotations

import json
import socket
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from project import mail
from project.auth import service
from project.db import transaction
from project.errors import Refused
from project.http.app import App
from project.users import service as users
from tests.auth.discreet import told
from tests.auth.steps import (
    AUTH,
    ME,
    NEW,
    alive,
    bearer,
    found,
    mailed,
    pair_of,
    ratios,
    refresh,
    run,
    sign_in,
    token_in,
)
from tests.server import free_port
from tests.users.make import PASSWORD, make_user

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
    lines = message.get_content().splitlines()
    assert "ada." in lines
    assert "POST /api/v1/auth/password/reset" in message.get_content()
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
    [link] = [line for line in message.get_content().splitlines() if line.startswith("http")]
    assert link.startswith(before)
    assert link.endswith(after)
    token = link.removeprefix(before).removesuffix(after)
    assert "/api/" not in message.get_content()
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


def test_expired_tokens_are_swept_away(app: App, client: FlaskClient, ada: int) -> None:
    for email in (ADDRESS, "nobody@example.org", ADDRESS):
        forgot(client, email)
    run(app, "UPDATE password_resets SET expires_at = now()")
    forgot(client)
    assert run(app, "SELECT count(*) FROM password_resets") == 1


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


def test_the_token_made_for_nobody_is_nobody_s(
    app: App, client: FlaskClient, ada: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.token_urlsafe", lambda _: "known")
    for email in ("nobody@example.org", "bob@example.org"):
        assert forgot(client, email).status_code == 202
        refused(client, "known")
        run(app, "DELETE FROM password_resets")


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
        service.forgot(ADDRESS, "")
        raise wrong


def test_nothing_is_mailed_of_what_was_rolled_back(app: App, ada: int) -> None:
    with app.app_context():
        for wrong in (Refused("no"), RuntimeError("no")):
            with pytest.raises(type(wrong)):
                forget_and(wrong)
        with transaction():
            pass
    assert mailed(app) == []
    assert run(app, "SELECT count(*) FROM password_resets") == 0


def test_a_reset_is_logged_and_tells_nothing(
    app: App, client: FlaskClient, ada: int, capsys: pytest.CaptureFixture[str]
) -> None:
    reset(client, token_of(app, client))
    logged = capsys.readouterr().err
    events = Counter(json.loads(line)["event"] for line in logged.splitlines())
    assert events == {"mail.written": 1, "user.password_changed": 1, "request": 2}
    assert told(logged) == []


def test_time_tells_nothing(
    app: App, client: FlaskClient, ada: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the answer is timed, the mail follows it."""
    addresses = (ADDRESS, "nobody@example.org", "bob@example.org")
    calls = {each: partial(forgot, client, each) for each in addresses}
    for _ in range(10):  # a machine may be busy; work left out is never near
        nobody, bob = ratios(calls, 60, rest=partial(mailed, app))
        if 0.75 < nobody < 1.25 and 0.75 < bob < 1.25:
            break
    with capsys.disabled():
        print(f" [forgot: nobody {nobody:.3f}, bob {bob:.3f}] ", end="")
    assert [nobody, bob] == [pytest.approx(1, abs=0.25)] * 2


@pytest.mark.parametrize("listening", [False, True], ids=["away", "hangs"])
def test_a_mail_server_that_does_not_answer_keeps_nobody_waiting(
    app: App,
    client: FlaskClient,
    ada: int,
    listening: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(mail, "PATIENCE", 0.8)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1] if listening else free_port()
        mailer = mail.Mailer(f"smtp://127.0.0.1:{port}", "shop@example.org", Path("/nowhere"))
        monkeypatch.setitem(app.extensions, "mailer", mailer)
        began = time.perf_counter()
        answers = [forgot(client) for _ in range(2)]
        assert time.perf_counter() - began < 0.8  # both together
        mailer.thread.shutdown(wait=True)
    assert [answer.status_code for answer in answers] == [202, 202]
    logged = capsys.readouterr().err
    lines = map(json.loads, logged.splitlines())
    failed = [line for line in lines if line["event"] == "mail.failed"]
    assert [line["level"] for line in failed] == ["error"] * 2
    error = "SMTPServerDisconnected" if listening else "ConnectionRefusedError"
    assert [line["error"] for line in failed] == [error] * 2
    ids = [answer.headers["X-Request-Id"] for answer in answers]
    assert [line["request_id"] for line in failed] == ids
    assert told(logged) == []
