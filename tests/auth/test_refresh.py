"""Refresh tokens: each counts once; again at once is a race, and later a theft."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from config import NAME
from project.auth import service
from project.errors import Unauthorized
from project.http.app import App
from tests.auth.discreet import told
from tests.auth.steps import AUTH, ME, alive, bearer, found, pair_of, refresh, run
from tests.conftest import headers_of
from tests.users.make import PASSWORD

OLDER = "UPDATE refresh_tokens SET used_at = used_at - make_interval(secs => :seconds)"
Pair = dict[str, Any]


@pytest.fixture
def pair(client: FlaskClient, ada: int) -> Pair:
    """The tokens of Ada, who just signed in."""
    return pair_of(client)


def refused(client: FlaskClient, token: Any) -> dict[str, Any]:
    """The one answer to every token that is not valid, without its request id."""
    answer = refresh(client, token)
    problem = found(answer, 401)
    assert answer.content_type == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == f'Bearer realm="{NAME}"'
    assert problem.pop("request_id")
    return problem


def test_a_refresh_answers_a_new_pair_of_the_same_session(client: FlaskClient, pair: Pair) -> None:
    seen = [pair]
    for _ in range(3):
        seen.append(found(refresh(client, seen[-1]["refresh_token"])))
    assert all(list(each) == list(pair) for each in seen)
    assert {(each["token_type"], each["expires_in"]) for each in seen} == {("Bearer", 900)}
    for kind in ("access_token", "refresh_token"):
        assert len({each[kind] for each in seen}) == 4
    assert all(alive(client, each) for each in seen)  # for their fifteen minutes
    listed = found(client.get(f"{AUTH}/sessions/", headers=bearer(seen[-1])))
    assert listed["total"] == 1


def test_a_refresh_prolongs_the_session_for_thirty_days(
    app: App, client: FlaskClient, pair: Pair
) -> None:
    run(app, "UPDATE sessions SET refreshed_at = '2020-01-01', expires_at = now() + '1 second'")
    found(refresh(client, pair["refresh_token"]))
    assert run(app, "SELECT expires_at = now() + interval '30 days' FROM sessions")
    assert run(app, "SELECT refreshed_at = now() FROM sessions")


@pytest.mark.parametrize("seconds", [0, 5, 9])
def test_a_token_that_comes_twice_at_once_is_a_race_and_changes_nothing(
    app: App, client: FlaskClient, pair: Pair, seconds: int
) -> None:
    newer = found(refresh(client, pair["refresh_token"]))
    run(app, OLDER, seconds=seconds)
    kept = state(app)
    for _ in range(3):
        answer = refresh(client, pair["refresh_token"])
        assert found(answer, 409)["code"] == "refresh_raced"
        assert "WWW-Authenticate" not in answer.headers
        assert "token" not in (answer.json or {})
    assert state(app) == kept
    assert alive(client, pair)
    assert alive(client, newer)
    found(refresh(client, newer["refresh_token"]))


def state(app: App) -> Any:
    """All that is known of sessions and their tokens."""
    return run(
        app,
        "SELECT array_agg(ROW(s.*, t.*)::text ORDER BY t.hash) "
        "FROM sessions s JOIN refresh_tokens t ON t.session_id = s.id",
    )


@pytest.mark.parametrize("seconds", [10, 11, 86_400])
def test_a_token_that_comes_again_later_ends_the_session(
    app: App, client: FlaskClient, pair: Pair, seconds: int
) -> None:
    other, third = pair_of(client), headers_of(app)
    newer = found(refresh(client, pair["refresh_token"]))
    newest = found(refresh(client, newer["refresh_token"]))
    run(app, OLDER, seconds=seconds)
    unknown = refused(client, "x" * 43)
    assert refused(client, pair["refresh_token"]) == unknown
    for each in (pair, newer, newest):
        assert not alive(client, each)
        assert refused(client, each["refresh_token"]) == unknown
    assert alive(client, other)
    found(refresh(client, other["refresh_token"]))
    assert client.get(ME, headers=third).status_code == 200


def test_the_middle_one_of_a_chain_is_a_theft_too(
    app: App, client: FlaskClient, pair: Pair
) -> None:
    second = found(refresh(client, pair["refresh_token"]))
    run(app, OLDER, seconds=60)
    third = found(refresh(client, second["refresh_token"]))
    assert found(refresh(client, second["refresh_token"]), 409)
    refused(client, pair["refresh_token"])
    assert not alive(client, third)
    refused(client, third["refresh_token"])


@pytest.mark.usefixtures("pair")
def test_the_end_of_a_session_is_logged_once_and_only_if_it_happened(
    app: App, client: FlaskClient, pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    found(refresh(client, pair["refresh_token"]))
    found(refresh(client, pair["refresh_token"]), 409)
    assert "session.ended" not in capsys.readouterr().err
    run(app, OLDER, seconds=60)
    for _ in range(2):
        refused(client, pair["refresh_token"])
    logged = capsys.readouterr().err
    events = [json.loads(line) for line in logged.splitlines()]
    [reused, ended] = [each for each in events if each["event"].startswith("session.")]
    assert (reused["event"], ended["event"]) == ("session.token_reused", "session.ended")
    assert ended.keys() >= {"session_id", "user_id", "request_id"}
    assert told(logged) == []


def test_an_expired_session_is_not_refreshed(app: App, client: FlaskClient, pair: Pair) -> None:
    run(app, "UPDATE sessions SET expires_at = now()")
    assert refused(client, pair["refresh_token"])["code"] == "invalid_refresh_token"
    run(app, "UPDATE sessions SET expires_at = now() + interval '1 minute'")
    found(refresh(client, pair["refresh_token"]))  # the refusal did not use it


@pytest.mark.parametrize(
    "token",
    [
        *("x", "x" * 43, "x" * 255, " ", "null", "é" * 43, "😀", "\u202e", "' OR 1=1 --", "%00"),
        *("../../etc/passwd", "eyJhbGciOiJub25lIn0.e30.", "\t\n"),
    ],
    ids=lambda token: ascii(token)[:12],
)
@pytest.mark.usefixtures("ada")
def test_a_token_that_is_not_ours_is_refused(client: FlaskClient, token: str) -> None:
    assert refused(client, token)["code"] == "invalid_refresh_token"


def test_a_token_is_its_exact_characters(client: FlaskClient, pair: Pair) -> None:
    token = pair["refresh_token"]
    for other in (f" {token}", f"{token}\n", token[:-1], token.swapcase(), f"{token}="):
        refused(client, other)
    found(refresh(client, token))


def test_an_access_token_refreshes_nothing(client: FlaskClient, pair: Pair) -> None:
    """Credentials for another purpose are 401, never 422."""
    refused(client, pair["access_token"])
    found(refresh(client, pair["refresh_token"]))


@pytest.mark.parametrize("token", [None, "", 5, True, 1.5, [], ["x"], {}, {"x": 1}])
def test_what_is_no_string_is_refused(client: FlaskClient, token: Any) -> None:
    [error] = found(refresh(client, token), 422)["errors"]
    assert (error["in"], error["field"]) == ("body", "refresh_token")


def test_a_huge_token_is_refused_without_an_echo(client: FlaskClient) -> None:
    answer = refresh(client, "x" * 100_000)
    assert answer.status_code == 422
    assert len(answer.data) < 1000
    assert refresh(client, "x" * 1_100_000).status_code == 413
    assert refresh(client, "x\x00").status_code == 400
    assert found(client.post(f"{AUTH}/refresh", json={}), 422)["errors"][0]["code"] == "required"


@pytest.mark.usefixtures("pair")
def test_a_hash_out_of_the_database_is_no_token(app: App, client: FlaskClient) -> None:
    for spelling in ("hex", "base64"):
        refused(client, run(app, f"SELECT encode(hash, '{spelling}') FROM refresh_tokens"))


def test_an_inactive_user_gets_no_pair_and_the_token_is_not_used(
    app: App, client: FlaskClient, pair: Pair
) -> None:
    run(app, "UPDATE users SET is_active = false WHERE username = 'ada'")
    assert refused(client, pair["refresh_token"])["code"] == "invalid_refresh_token"
    run(app, "UPDATE users SET is_active = true")
    found(refresh(client, pair["refresh_token"]))


def test_a_deleted_user_is_unknown(app: App, client: FlaskClient, pair: Pair) -> None:
    run(app, "DELETE FROM users WHERE username = 'ada'")
    assert refused(client, pair["refresh_token"])["code"] == "invalid_refresh_token"


def test_whoever_is_deactivated_properly_is_signed_out_for_good(
    app: App, client: FlaskClient, superuser: dict[str, str], ada: int, pair: Pair
) -> None:
    for status in (False, True):
        sent = {"ids": [ada], "is_active": status}
        found(client.post("/api/v1/users/bulk-status", json=sent, headers=superuser))
    refused(client, pair["refresh_token"])
    assert not alive(client, pair)


def test_no_token_is_kept_in_clear(app: App, client: FlaskClient, pair: Pair) -> None:
    """Every value of every table is searched, and the control is found."""
    newer = found(refresh(client, pair["refresh_token"]))
    client.post(f"{AUTH}/password/forgot", json={"email": "ada@example.org"})
    tables = run(
        app, "SELECT array_agg(quote_ident(tablename)) FROM pg_tables WHERE schemaname = 'public'"
    )
    assert {"sessions", "refresh_tokens", "password_resets", "users"} <= {*tables}
    every = "SELECT string_agg(t::text, ' ') FROM {} t"
    kept = " ".join(run(app, every.format(table)) or "" for table in tables)
    assert "ada@example.org" in kept
    for each in (pair, newer):
        for token in (each["refresh_token"], each["access_token"]):
            assert token not in kept
            assert token.encode().hex() not in kept
    assert PASSWORD not in kept


def test_a_refresh_is_a_handful_of_statements(
    client: FlaskClient, pair: Pair, statements: list[str]
) -> None:
    found(refresh(client, pair["refresh_token"]))
    assert len(statements) == 6


def test_a_token_of_the_service_is_judged_like_one_of_the_network(context: None) -> None:
    with pytest.raises(Unauthorized):
        service.refresh("x")
