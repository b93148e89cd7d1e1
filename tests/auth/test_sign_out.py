"""Signing out: this session or all of them, and nobody gets in with what is left."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from config import NAME
from project.http.app import App
from tests.auth.steps import AUTH, ME, alive, bearer, found, pair_of, refresh, run
from tests.conftest import headers_of

Pair = dict[str, Any]


@pytest.fixture
def pairs(client: FlaskClient, ada: int) -> list[Pair]:
    """The tokens of three sessions of Ada's."""
    return [pair_of(client) for _ in range(3)]


def out(client: FlaskClient, pair: Pair, path: str = "logout") -> int:
    answer = client.post(f"{AUTH}/{path}", headers=bearer(pair))
    assert answer.status_code != 204 or answer.data == b""
    return answer.status_code


def test_who_signs_out_ends_this_session_only(client: FlaskClient, pairs: list[Pair]) -> None:
    gone, *rest = pairs
    newer = found(refresh(client, gone["refresh_token"]))
    assert out(client, newer) == 204
    for each in (gone, newer):
        assert not alive(client, each)
        found(refresh(client, each["refresh_token"]), 401)
        assert out(client, each) == 401
    for each in rest:
        assert alive(client, each)
        found(refresh(client, each["refresh_token"]))


def test_who_signs_out_everywhere_ends_all_sessions_of_one_s_own(
    app: App, client: FlaskClient, pairs: list[Pair]
) -> None:
    stranger = headers_of(app)
    assert out(client, pairs[1], "logout-all") == 204
    for each in pairs:
        assert not alive(client, each)
        found(refresh(client, each["refresh_token"]), 401)
    assert client.get(ME, headers=stranger).status_code == 200
    assert run(app, "SELECT count(*) FROM sessions") == 1
    assert run(app, "SELECT count(*) FROM refresh_tokens") == 1
    assert alive(client, pair_of(client))


@pytest.mark.parametrize("path", ["logout", "logout-all"])
@pytest.mark.usefixtures("ada")
def test_who_is_not_signed_in_cannot_sign_out(client: FlaskClient, path: str) -> None:
    answer = client.post(f"{AUTH}/{path}")
    assert found(answer, 401)["code"] == "unauthorized"
    assert answer.headers["WWW-Authenticate"] == f'Bearer realm="{NAME}"'
    assert client.get(f"{AUTH}/{path}").status_code == 405


def test_a_refresh_token_does_not_sign_out(client: FlaskClient, pairs: list[Pair]) -> None:
    pair = pairs[0]
    assert out(client, {"access_token": pair["refresh_token"]}) == 401
    assert alive(client, pair)
