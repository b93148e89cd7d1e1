"""Accounts over HTTP: one's own, without its password."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from project.auth import tokens
from project.db import db
from project.http.app import App
from tests.sessions.make import begin
from tests.users.make import HASHED, make_user

ME = "/api/v1/users/me"
MEMBERS = ["id", "email", "username", "full_name", "bio", "is_active", "is_superuser"]
MEMBERS += ["version", "created_at", "updated_at"]


def test_one_sees_oneself_whole_but_for_the_password(app: App, client: FlaskClient) -> None:
    with app.app_context():
        user = make_user(full_name="Ada Lovelace", bio="Writes programs.")
        id, name = user.id, user.username
        headers = {"Authorization": f"Bearer {tokens.issue(*begin(user))['access_token']}"}
        db.session.commit()
    answer = client.get(ME, headers=headers)
    assert answer.status_code == 200
    assert answer.json is not None
    assert list(answer.json) == MEMBERS
    assert answer.headers["ETag"] == f'"{id}-1"'
    assert (answer.json["id"], answer.json["username"]) == (id, name)
    assert (answer.json["full_name"], answer.json["bio"]) == ("Ada Lovelace", "Writes programs.")
    assert (answer.json["is_active"], answer.json["is_superuser"]) == (True, False)
    for secret in ("password", HASHED, "argon2"):
        assert secret not in answer.text


def test_who_asks_for_oneself_is_told_in_one_question(
    client: FlaskClient, signed_in: dict[str, str], statements: list[str]
) -> None:
    assert client.get(ME, headers=signed_in).status_code == 200
    assert len(statements) == 1


def test_a_superuser_is_one(client: FlaskClient, superuser: dict[str, str]) -> None:
    answer = client.get(ME, headers=superuser)
    assert answer.json is not None
    assert answer.json["is_superuser"] is True


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_else_can_be_done_to_oneself_here(
    client: FlaskClient, signed_in: dict[str, str], method: str
) -> None:
    assert client.open(ME, method=method, headers=signed_in).status_code == 405
