"""Where one is signed in: one's own sessions, and how to end them."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from project.http.app import App
from tests.auth.steps import AUTH, alive, bearer, found, pair_of, refresh, run
from tests.conftest import headers_of
from tests.users.make import PASSWORD

URL = f"{AUTH}/sessions/"
MEMBERS = ["id", "user_agent", "address", "is_current", "created_at", "refreshed_at", "expires_at"]
Pair = dict[str, Any]


@pytest.fixture
def pairs(client: FlaskClient, ada: int) -> list[Pair]:
    """The tokens of three sessions of Ada's, the oldest first."""
    return [pair_of(client) for _ in range(3)]


def listed(client: FlaskClient, pair: Pair, query: str = "") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = found(client.get(URL + query, headers=bearer(pair)))["items"]
    return items


def begin(client: FlaskClient, agent: str, address: str = "127.0.0.1") -> dict[str, Any]:
    """The session that a sign-in with this User-Agent from this address makes."""
    body = {"login": "ada", "password": PASSWORD}
    sent: dict[str, Any] = {
        "environ_base": {"REMOTE_ADDR": address},
        "headers": {"User-Agent": agent},
    }
    answer = client.post(f"{AUTH}/login", json=body, **sent)
    return listed(client, found(answer))[0]


def test_one_s_sessions_are_listed_the_newest_first(
    app: App, client: FlaskClient, pairs: list[Pair]
) -> None:
    headers_of(app)  # somebody else's
    for place, pair in enumerate(reversed(pairs)):
        answer = client.get(URL, headers=bearer(pair))
        page = found(answer)
        assert list(page) == ["items", "total", "skip", "limit", "next_cursor"]
        assert (page["total"], page["next_cursor"]) == (3, None)
        items = page["items"]
        assert [list(item) for item in items] == [MEMBERS] * 3
        ids = [item["id"] for item in items]
        assert ids == sorted(ids, reverse=True)
        assert [item["is_current"] for item in items] == [n == place for n in range(3)]
        assert not {"hash", "token"} & set(answer.text.split('"'))


def test_a_session_tells_from_where_and_by_what_it_was_begun(client: FlaskClient, ada: int) -> None:
    session = begin(client, "curl/8.5.0", "192.0.2.7")
    assert (session["user_agent"], session["address"]) == ("curl/8.5.0", "192.0.2.7")
    assert session["is_current"] is True
    for name in ("created_at", "refreshed_at", "expires_at"):
        assert session[name].endswith("Z")
    assert session["created_at"] == session["refreshed_at"] < session["expires_at"]


@pytest.mark.parametrize(
    ("agent", "kept"),
    [
        ("", ""),
        ("x" * 300, "x" * 255),
        ("Gerät/1.0", "Gerät/1.0"),
        ("%s {x} \\ ' ; --", "%s {x} \\ ' ; --"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    ],
)
@pytest.mark.usefixtures("ada")
def test_any_program_may_sign_in(client: FlaskClient, agent: str, kept: str) -> None:
    assert begin(client, agent)["user_agent"] == kept


@pytest.mark.parametrize(
    ("peer", "kept"),
    [("2001:db8::7", "2001:db8::7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("", "127.0.0.1")],
)
@pytest.mark.usefixtures("ada")
def test_any_address_fits(client: FlaskClient, peer: str, kept: str) -> None:
    assert begin(client, "x", peer)["address"] == kept


def test_a_refresh_is_seen_in_the_list(app: App, client: FlaskClient, pairs: list[Pair]) -> None:
    run(app, "UPDATE sessions SET refreshed_at = '2020-01-01T00:00:00Z'")
    newer = found(refresh(client, pairs[0]["refresh_token"]))
    times = [item["refreshed_at"][:4] for item in listed(client, newer)]
    assert times[:2] == ["2020", "2020"]
    assert times[2] > "2020"
    assert [item["is_current"] for item in listed(client, newer)] == [False, False, True]


def test_expired_sessions_are_as_good_as_ended(
    app: App, client: FlaskClient, pairs: list[Pair]
) -> None:
    *_, oldest = (item["id"] for item in listed(client, pairs[2]))
    run(app, "UPDATE sessions SET expires_at = now() WHERE id = :id", id=oldest)
    assert [item["id"] > oldest for item in listed(client, pairs[2])] == [True, True]
    found(client.delete(f"{URL}{oldest}", headers=bearer(pairs[2])), 404)


def test_sessions_are_paged(client: FlaskClient, pairs: list[Pair]) -> None:
    ids = [item["id"] for item in listed(client, pairs[0])]
    seen, query = [], "?limit=1"
    for _ in ids:
        page = found(client.get(URL + query, headers=bearer(pairs[0])))
        seen += [item["id"] for item in page["items"]]
        query = f"?limit=1&cursor={page['next_cursor']}"
    assert (seen, page["next_cursor"]) == (ids, None)
    assert [item["id"] for item in listed(client, pairs[0], "?skip=1&limit=1")] == ids[1:2]
    upwards = listed(client, pairs[0], "?sort=created_at,id")
    assert [item["id"] for item in upwards] == ids[::-1]
    for wrong in ("?limit=0", "?limit=101", "?skip=-1", "?sort=address", "?user_id=1", "?cursor=x"):
        found(client.get(URL + wrong, headers=bearer(pairs[0])), 422)


def test_a_cursor_of_one_user_shows_another_only_one_s_own(
    app: App, client: FlaskClient, pairs: list[Pair]
) -> None:
    cursor = found(client.get(f"{URL}?limit=1", headers=bearer(pairs[0])))["next_cursor"]
    page = found(client.get(f"{URL}?limit=1&cursor={cursor}", headers=headers_of(app)))
    assert page["items"] == []


def test_one_ends_a_session_of_one_s_own_once(client: FlaskClient, pairs: list[Pair]) -> None:
    victim, own = pairs[0], bearer(pairs[2])
    id = listed(client, pairs[2])[2]["id"]
    answer = client.delete(f"{URL}{id}", headers=own)
    assert (answer.status_code, answer.data) == (204, b"")
    assert not alive(client, victim)
    found(refresh(client, victim["refresh_token"]), 401)
    assert [alive(client, pair) for pair in pairs[1:]] == [True, True]
    again = found(client.delete(f"{URL}{id}", headers=own), 404)
    assert again["detail"] == f"Session with id {id} not found"
    assert len(listed(client, pairs[2])) == 2


def test_one_may_end_the_session_one_is_in(client: FlaskClient, pairs: list[Pair]) -> None:
    id = listed(client, pairs[2])[0]["id"]
    assert client.delete(f"{URL}{id}", headers=bearer(pairs[2])).status_code == 204
    assert client.delete(f"{URL}{id}", headers=bearer(pairs[2])).status_code == 401


def test_a_session_of_another_is_as_good_as_none(
    app: App, client: FlaskClient, superuser: dict[str, str], pairs: list[Pair]
) -> None:
    id = listed(client, pairs[0])[0]["id"]
    beside = [headers_of(app), superuser]
    sent = {"X-Request-Id": "r"}
    refusals = [client.delete(f"{URL}{id}", headers={**each, **sent}) for each in beside]
    assert all(alive(client, pair) for pair in pairs)
    assert client.delete(f"{URL}{id}", headers=bearer(pairs[0])).status_code == 204
    refusals.append(client.delete(f"{URL}{id}", headers={**beside[0], **sent}))
    assert {each.status_code for each in refusals} == {404}
    assert len({each.data for each in refusals}) == 1
    assert len({str(each.headers) for each in refusals}) == 1


@pytest.mark.parametrize("id", ["0", "9223372036854775807", "9223372036854775808", "9" * 40])
def test_a_session_that_never_was_is_named(
    client: FlaskClient, signed_in: dict[str, str], id: str
) -> None:
    refusal = found(client.delete(f"{URL}{id}", headers=signed_in), 404)
    assert refusal["detail"] == f"Session with id {id} not found"


@pytest.mark.parametrize("id", ["-1", "x", "1.0", "%00", "9" * 41, "\u0661"])
def test_an_address_that_is_none_is_not_there(
    client: FlaskClient, signed_in: dict[str, str], id: str
) -> None:
    assert client.delete(f"{URL}{id}", headers=signed_in).status_code == 404


def test_only_who_is_signed_in_sees_and_ends_sessions(client: FlaskClient) -> None:
    assert client.get(URL).status_code == client.delete(f"{URL}1").status_code == 401
    for method in ("POST", "PUT", "PATCH"):
        assert client.open(URL, method=method).status_code == 405


def test_a_list_is_two_statements_and_an_end_three(
    client: FlaskClient, pairs: list[Pair], statements: list[str]
) -> None:
    items = listed(client, pairs[0])
    assert len(statements) == 2  # who asks, and the page
    statements.clear()
    client.delete(f"{URL}{items[0]['id']}", headers=bearer(pairs[0]))
    assert len(statements) == 3
