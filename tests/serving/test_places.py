"""Who is answered now, and who waits: all but one place for the same, none for probes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from project.serving import places
from project.serving.places import Guest, Places


def enter(places: Places, path: str, method: str = "GET", *, small: bool = True) -> Guest | None:
    connection: Any = SimpleNamespace(small=small)
    request: Any = SimpleNamespace(path=path, method=method)
    return places.enter(connection, request)


def test_an_address_may_have_all_places_but_one() -> None:
    found = Places(4)
    inside = [enter(found, "/things/") for _ in range(4)]
    assert [guest is not None for guest in inside] == [True, True, True, False]
    assert enter(found, "/others/") is not None
    assert enter(found, "/others/") is None
    assert found.next() is None
    [first, *_] = inside
    assert first is not None
    found.leave(first)
    after = found.next()
    assert after is not None
    assert after.request.path == "/things/"


def test_an_item_is_one_address_whatever_is_beneath_it() -> None:
    found = Places(3)
    for path in ("/v1/things/7", "/v1/things/7/parts"):
        assert enter(found, path) is not None
    assert enter(found, "/v1/things/7/parts/8") is None
    assert enter(found, "/v1/things/70") is not None


def test_who_reads_does_not_wait_for_who_writes() -> None:
    found = Places(3)
    for method in ("PATCH", "POST"):
        assert enter(found, "/things/7", method) is not None
    assert enter(found, "/things/7", "DELETE") is None
    assert enter(found, "/things/7") is not None


def test_large_bodies_leave_a_place_wherever_they_go() -> None:
    found = Places(3)
    for path in ("/a", "/b"):
        assert enter(found, path, "POST", small=False) is not None
    assert enter(found, "/c", "POST", small=False) is None
    assert enter(found, "/c") is not None


@pytest.mark.parametrize("other", ["/things/", "/things"])
def test_an_address_is_one_however_it_ends(other: str) -> None:
    found = Places(3)
    for path in ("/things", "/things/"):
        assert enter(found, path) is not None
    assert enter(found, other) is None
    assert enter(found, "/healthz/") is not None


def test_who_waits_does_not_stand_in_the_way_of_another() -> None:
    found = Places(2)
    first = enter(found, "/a")
    assert enter(found, "/a") is None
    assert enter(found, "/b") is not None
    assert enter(found, "/c") is None
    assert first is not None
    found.leave(first)
    taken = [found.next(), found.next()]
    assert [guest and guest.request.path for guest in taken] == ["/a", None]


def test_one_place_is_for_everybody() -> None:
    found = Places(1)
    first = enter(found, "/a")
    assert first is not None
    assert enter(found, "/a") is None
    assert enter(found, "/healthz") is not None
    found.leave(first)
    assert found.next() is not None


def test_probes_need_no_place_and_give_none_back() -> None:
    found = Places(1)
    probe = enter(found, "/readyz")
    assert probe is not None
    found.leave(probe)
    assert enter(found, "/a") is not None
    assert enter(found, "/b") is None


def test_only_who_waited_in_vain_is_overdue(monkeypatch: Any) -> None:
    found = Places(1)
    assert enter(found, "/a") is not None
    assert enter(found, "/b") is None
    assert found.overdue() == []
    monkeypatch.setattr(places, "PATIENCE", -1)
    assert [guest.request.path for guest in found.overdue()] == ["/b"]
    assert found.overdue() == []
    assert found.next() is None
