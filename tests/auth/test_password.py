"""A new password of one's own, proved by the current one."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from project.db import transaction
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
    meanwhile,
    pair_of,
    refresh,
    run,
    sign_in,
)
from tests.conftest import headers_of
from tests.letters import mailed, token_in
from tests.users.make import PASSWORD

URL = f"{ME}/password"
Pair = dict[str, Any]


@pytest.fixture
def pairs(client: FlaskClient, ada: int) -> list[Pair]:
    """The tokens of three sessions of Ada's."""
    return [pair_of(client) for _ in range(3)]


def change(client: FlaskClient, pair: Pair, password: Any = NEW, current: Any = PASSWORD) -> Any:
    body = {"current_password": current, "password": password}
    return client.post(URL, json=body, headers=bearer(pair))


def test_a_new_password_ends_every_other_session(
    app: App, client: FlaskClient, pairs: list[Pair]
) -> None:
    stranger = headers_of(app)
    first, own, last = pairs
    answer = change(client, own)
    assert (answer.status_code, answer.data) == (204, b"")
    for each in (first, last):
        assert not alive(client, each)
        found(refresh(client, each["refresh_token"]), 401)
    assert alive(client, own)
    found(refresh(client, own["refresh_token"]))
    assert client.get(ME, headers=stranger).status_code == 200
    found(sign_in(client), 401)
    found(sign_in(client, password=NEW))
    assert found(client.get(ME, headers=bearer(own)))["version"] == 2


@pytest.mark.parametrize("current", ["wrong", PASSWORD + " ", PASSWORD.upper(), NEW, "x" * 128])
def test_without_the_current_password_nothing_changes(
    client: FlaskClient, pairs: list[Pair], current: str
) -> None:
    refusal = found(change(client, pairs[0], current=current), 400)
    assert (refusal["code"], refusal["detail"]) == (
        "wrong_password",
        "The current password is wrong.",
    )
    assert all(alive(client, pair) for pair in pairs)
    found(sign_in(client))


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short67", "too_short"),
        ("x" * 129, "too_long"),
        ("PASSWORD1", "too_common"),
        (None, "null"),
        (12345678, "invalid"),
    ],
)
def test_a_new_password_has_to_be_one(
    client: FlaskClient, pairs: list[Pair], password: Any, code: str
) -> None:
    answer = change(client, pairs[0], password)
    [error] = found(answer, 422)["errors"]
    assert (error["field"], error["code"]) == ("password", code)
    assert str(password) not in answer.text or password is None
    found(sign_in(client))


def test_both_passwords_are_demanded_and_nothing_else(
    client: FlaskClient, pairs: list[Pair]
) -> None:
    headers = bearer(pairs[0])
    whole = {"current_password": PASSWORD, "password": NEW}
    for name in whole:
        part = {key: value for key, value in whole.items() if key != name}
        [error] = found(client.post(URL, json=part, headers=headers), 422)["errors"]
        assert (error["field"], error["code"]) == (name, "required")
    for name in ("id", "username", "is_superuser"):
        answer = client.post(URL, json={**whole, name: 1}, headers=headers)
        assert found(answer, 422)["errors"][0]["code"] == "unknown"
    found(sign_in(client))


@pytest.mark.usefixtures("ada")
def test_only_who_is_signed_in_gets_a_new_password(client: FlaskClient) -> None:
    body = {"current_password": PASSWORD, "password": NEW}
    assert client.post(URL, json=body).status_code == 401


@pytest.mark.parametrize("password", [" \tx y z\n ", "e\u0301" * 8, "\U0001f600" * 128])
def test_a_new_password_is_its_exact_characters(
    client: FlaskClient, pairs: list[Pair], password: str
) -> None:
    assert change(client, pairs[0], password).status_code == 204
    for other in {password.strip(), password.replace("e\u0301", "\u00e9")} - {password}:
        assert change(client, pairs[0], NEW, other).status_code == 400
    assert change(client, pairs[0], NEW, password).status_code == 204


def test_a_token_mailed_before_is_void(app: App, client: FlaskClient, pairs: list[Pair]) -> None:
    mailed(app)  # by others
    client.post(f"{AUTH}/password/forgot", json={"email": "ada@example.org"})
    [message] = mailed(app)
    assert change(client, pairs[0]).status_code == 204
    body = {"token": token_in(message), "password": "yet another staple"}
    found(client.post(f"{AUTH}/password/reset", json=body), 400)
    found(sign_in(client, password=NEW))


def test_a_password_that_was_changed_meanwhile_is_no_proof(
    app: App, client: FlaskClient, ada: int, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed() -> None:
        with app.app_context(), transaction():
            users.update(ada, {"password": "yet another staple"}, by=None)

    meanwhile(monkeypatch, changed)
    assert change(client, pairs[0]).status_code in (400, 401)


def test_the_change_is_logged_after_it_happened_and_tells_nothing(
    app: App, client: FlaskClient, pairs: list[Pair], capsys: pytest.CaptureFixture[str]
) -> None:
    change(client, pairs[0], current="wrong")
    assert "user.password_changed" not in capsys.readouterr().err
    change(client, pairs[0])
    logged = capsys.readouterr().err
    assert logged.count('"user.password_changed"') == 1
    assert logged.count('"session.ended"') == 2
    assert told(logged) == []
    assert run(app, "SELECT count(*) FROM sessions") == 1
