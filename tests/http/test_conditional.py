"""ETag, If-None-Match and If-Match, as RFC 9110 section 13 has them."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from project.db import db
from project.http.app import App
from tests.products.make import make_product

URL = "/api/v1/products/"
ME = "/api/v1/users/me"


@pytest.fixture
def id(app: App, isolated: None) -> int:
    """A product at version 2."""
    with app.app_context():
        found = make_product(stock=5, version=2).id
        db.session.commit()
    return found


def tags(id: int, kind: str) -> str:
    return kind.replace("ID", str(id)).replace("OTHER", str(id + 1))


MATCHING = [
    '"ID-2"',
    "*",
    '"x", "ID-2"',
    '"ID-1","ID-2"',
    'W/"ID-2", "ID-2"',
    '"a,b", "ID-2"',
    '"ID-2-3"',
]
OTHERS = ['"ID-1"', '"ID-3"', 'W/"ID-2"', '"OTHER-2"', '""', '"*"', '"ID"', '"ID-"', '"ID-2 "']
OTHERS += [
    '"ID-02"',
    '"ID-3-2"',
    '"ID-2-"',
    '"ID-2-A"',
    '"ID-2-1-1"',
    '"xID-2"',
    '"ID-2x"',
    '"-2"',
    '"ID--2"',
    '"ID-99999999999999"',
]
OTHERS += ['"ID-' + "9" * 40 + '"', '"ID-²"', 'w/"ID-2"', "garbage", ",", '"', '"ID-2', "é"]
OTHERS += ['"1", W/"ID-2", "2"', '"' + "x" * 3000 + '"', "\\", "()", '"ID-2\x01"']


@pytest.mark.parametrize("kind", MATCHING)
def test_who_names_the_current_version_may_change_it(
    client: FlaskClient, signed_in: dict[str, str], id: int, kind: str
) -> None:
    headers = {**signed_in, "If-Match": tags(id, kind)}
    answer = client.put(f"{URL}{id}", json={"stock": 1}, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["ETag"] == f'"{id}-3"'


@pytest.mark.parametrize("kind", OTHERS, ids=lambda kind: kind[:20])
def test_who_names_another_version_changes_nothing(
    client: FlaskClient, signed_in: dict[str, str], id: int, kind: str
) -> None:
    headers = {**signed_in, "If-Match": tags(id, kind)}
    for answer in (
        client.put(f"{URL}{id}", json={"stock": 1}, headers=headers),
        client.patch(f"{URL}{id}", json={"stock": 1}, headers=headers),
        client.patch(f"{URL}{id}/stock?quantity=1", headers=headers),
        client.delete(f"{URL}{id}", headers=headers),
    ):
        assert answer.status_code == 412
        assert answer.content_type == "application/problem+json"
        assert answer.json is not None
        assert answer.json["code"] == "stale_version"
        assert (
            answer.json["detail"]
            == f'Product {id} has changed, its ETag is "{id}-2" now; read it again'
        )
    after = client.get(f"{URL}{id}").json
    assert after is not None
    assert (after["stock"], after["is_active"], after["version"]) == (5, True, 2)


def test_a_stale_tag_is_told_even_when_there_is_nothing_to_do(
    client: FlaskClient, signed_in: dict[str, str], id: int
) -> None:
    assert client.delete(f"{URL}{id}", headers=signed_in).status_code == 204
    current = {**signed_in, "If-Match": f'"{id}-3"'}
    assert client.delete(f"{URL}{id}", headers=current).status_code == 204
    stale = {**signed_in, "If-Match": f'"{id}-2"'}
    assert client.delete(f"{URL}{id}", headers=stale).status_code == 412


def test_a_precondition_for_nothing_is_not_found(
    client: FlaskClient, signed_in: dict[str, str]
) -> None:
    for tag in ("*", '"9-1"'):
        headers = {**signed_in, "If-Match": tag}
        answer = client.put(f"{URL}9", json={"stock": 1}, headers=headers)
        assert answer.status_code == 404


@pytest.mark.parametrize("kind", ['"ID-2"', 'W/"ID-2"', "*", '"x", "ID-2"', '"ID-1", W/"ID-2"'])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_holds_this_version_is_not_sent_it_again(
    client: FlaskClient, id: int, kind: str, method: str
) -> None:
    headers = {"If-None-Match": tags(id, kind)}
    answer = client.open(f"{URL}{id}", method=method, headers=headers)
    assert (answer.status_code, answer.data) == (304, b"")
    assert answer.headers["ETag"] == f'"{id}-2"'
    assert answer.headers["X-Request-Id"]


@pytest.mark.parametrize("kind", ['"ID-1"', '"OTHER-2"', '"*"', '"ID-02"', "garbage", '""'])
def test_who_holds_another_version_is_sent_this_one(
    client: FlaskClient, id: int, kind: str
) -> None:
    answer = client.get(f"{URL}{id}", headers={"If-None-Match": tags(id, kind)})
    assert answer.status_code == 200
    assert answer.headers["ETag"] == f'"{id}-2"'


def test_the_tag_changes_with_every_change(
    client: FlaskClient, signed_in: dict[str, str], id: int
) -> None:
    seen = [client.get(f"{URL}{id}").headers["ETag"]]
    for method, path, change in (
        ("PATCH", "", {"price": 1}),
        ("PATCH", "/stock?quantity=1", None),
        ("POST", "/restore", None),
    ):
        answer = client.open(f"{URL}{id}{path}", method=method, json=change, headers=signed_in)
        seen.append(client.get(f"{URL}{id}").headers["ETag"])
        assert answer.headers["ETag"] == seen[-1]
    client.delete(f"{URL}{id}", headers=signed_in)
    seen.append(client.get(f"{URL}{id}").headers["ETag"])
    versions = [tag.strip('"').split("-")[1] for tag in seen]
    assert versions == ["2", "3", "4", "4", "5"]  # restoring what is active changes nothing


def test_an_account_has_a_tag_too(client: FlaskClient, signed_in: dict[str, str]) -> None:
    tag = client.get(ME, headers=signed_in).headers["ETag"]
    assert tag.startswith('"')
    again = client.get(ME, headers={**signed_in, "If-None-Match": tag})
    assert again.status_code == 304
    assert client.get(ME, headers={"If-None-Match": "*"}).status_code == 401


def test_reading_does_not_ask_what_if_match_says(client: FlaskClient, id: int) -> None:
    answer = client.get(f"{URL}{id}", headers={"If-Match": f'"{id}-99"'})
    assert (answer.status_code, answer.content_type) == (200, "application/json")
