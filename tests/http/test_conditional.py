"""ETag, If-None-Match and If-Match, as RFC 9110 section 13 has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from project.db import db
from project.http.app import App
from tests.products.make import make_product
from tests.samples.make import make_sample

ROOMS: dict[str, tuple[Callable[..., Any], str]] = {  # how one is made, and where some are taken
    "samples": (make_sample, "amount"),
    "products": (make_product, "stock"),
}
ME = "/api/v1/users/me"


class Thing:
    """An item of a room at version 2, of which there are five."""

    def __init__(self, app: App, room: str) -> None:
        make, self.member = ROOMS[room]
        with app.app_context():
            self.id: int = make(version=2, **{self.member: 5}).id
            db.session.commit()
        self.kind = room.title().removesuffix("s")
        self.url = f"/api/v1/{room}/{self.id}"

    def tags(self, kind: str) -> str:
        return kind.replace("ID", str(self.id)).replace("OTHER", str(self.id + 1))


@pytest.fixture(params=ROOMS)
def thing(app: App, isolated: None, request: pytest.FixtureRequest) -> Thing:
    return Thing(app, request.param)


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
    client: FlaskClient, signed_in: dict[str, str], thing: Thing, kind: str
) -> None:
    headers = {**signed_in, "If-Match": thing.tags(kind)}
    answer = client.put(thing.url, json={"price": 1}, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["ETag"] == f'"{thing.id}-3"'


@pytest.mark.parametrize("kind", OTHERS, ids=lambda kind: kind[:20])
def test_who_names_another_version_changes_nothing(
    client: FlaskClient, signed_in: dict[str, str], thing: Thing, kind: str
) -> None:
    headers = {**signed_in, "If-Match": thing.tags(kind)}
    for answer in (
        client.put(thing.url, json={"price": 1}, headers=headers),
        client.patch(thing.url, json={"price": 1}, headers=headers),
        client.patch(f"{thing.url}/{thing.member}?quantity=1", headers=headers),
        client.delete(thing.url, headers=headers),
    ):
        assert answer.status_code == 412
        assert answer.content_type == "application/problem+json"
        assert answer.json is not None
        assert answer.json["code"] == "stale_version"
        assert (
            answer.json["detail"]
            == f'{thing.kind} {thing.id} has changed, its ETag is "{thing.id}-2" now; read it again'
        )
    after = client.get(thing.url).json
    assert after is not None
    assert (after[thing.member], after["is_active"], after["version"]) == (5, True, 2)


def test_a_stale_tag_is_told_even_when_there_is_nothing_to_do(
    client: FlaskClient, signed_in: dict[str, str], thing: Thing
) -> None:
    assert client.delete(thing.url, headers=signed_in).status_code == 204
    current = {**signed_in, "If-Match": f'"{thing.id}-3"'}
    assert client.delete(thing.url, headers=current).status_code == 204
    stale = {**signed_in, "If-Match": f'"{thing.id}-2"'}
    assert client.delete(thing.url, headers=stale).status_code == 412


def test_a_precondition_for_nothing_is_not_found(
    client: FlaskClient, signed_in: dict[str, str], thing: Thing
) -> None:
    for tag in ("*", '"9-1"'):
        headers = {**signed_in, "If-Match": tag}
        answer = client.put(f"{thing.url}9", json={"price": 1}, headers=headers)
        assert answer.status_code == 404


@pytest.mark.parametrize("kind", ['"ID-2"', 'W/"ID-2"', "*", '"x", "ID-2"', '"ID-1", W/"ID-2"'])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_holds_this_version_is_not_sent_it_again(
    client: FlaskClient, thing: Thing, kind: str, method: str
) -> None:
    headers = {"If-None-Match": thing.tags(kind)}
    answer = client.open(thing.url, method=method, headers=headers)
    assert (answer.status_code, answer.data) == (304, b"")
    assert answer.headers["ETag"] == f'"{thing.id}-2"'
    assert answer.headers["X-Request-Id"]


@pytest.mark.parametrize("kind", ['"ID-1"', '"OTHER-2"', '"*"', '"ID-02"', "garbage", '""'])
def test_who_holds_another_version_is_sent_this_one(
    client: FlaskClient, thing: Thing, kind: str
) -> None:
    answer = client.get(thing.url, headers={"If-None-Match": thing.tags(kind)})
    assert answer.status_code == 200
    assert answer.headers["ETag"] == f'"{thing.id}-2"'


def test_the_tag_changes_with_every_change(
    client: FlaskClient, signed_in: dict[str, str], thing: Thing
) -> None:
    seen = [client.get(thing.url).headers["ETag"]]
    for method, path, change in (
        ("PATCH", "", {"price": 1}),
        ("PATCH", f"/{thing.member}?quantity=1", None),
        ("POST", "/restore", None),
    ):
        answer = client.open(thing.url + path, method=method, json=change, headers=signed_in)
        seen.append(client.get(thing.url).headers["ETag"])
        assert answer.headers["ETag"] == seen[-1]
    client.delete(thing.url, headers=signed_in)
    seen.append(client.get(thing.url).headers["ETag"])
    versions = [tag.strip('"').split("-")[1] for tag in seen]
    assert versions == ["2", "3", "4", "4", "5"]  # restoring what is active changes nothing


def test_an_account_has_a_tag_too(client: FlaskClient, signed_in: dict[str, str]) -> None:
    tag = client.get(ME, headers=signed_in).headers["ETag"]
    assert tag.startswith('"')
    again = client.get(ME, headers={**signed_in, "If-None-Match": tag})
    assert again.status_code == 304
    assert client.get(ME, headers={"If-None-Match": "*"}).status_code == 401


def test_reading_does_not_ask_what_if_match_says(client: FlaskClient, thing: Thing) -> None:
    answer = client.get(thing.url, headers={"If-Match": f'"{thing.id}-99"'})
    assert (answer.status_code, answer.content_type) == (200, "application/json")
