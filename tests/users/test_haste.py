"""A real server in haste: one of the superusers stays, names go to one, nobody waits in a ring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import combinations_with_replacement
from threading import Barrier, Event
from typing import Any

import pytest
from sqlalchemy import update
from werkzeug.test import TestResponse

from project.db import db, transaction
from project.errors import OnlySuperusers
from project.http.app import App
from project.posts import service as posts
from project.users import service
from project.users.models import User
from tests.server import Server
from tests.users.conftest import Member, between, done, enter
from tests.users.make import PASSWORD, make_user

URL = "/api/v1/users/"
BULK = f"{URL}bulk-status"
WAYS: dict[str, Callable[[int], tuple[str, str, Any]]] = {
    "demote": lambda id: ("PATCH", f"{URL}{id}", {"is_superuser": False}),
    "deactivate": lambda id: ("PATCH", f"{URL}{id}", {"is_active": False}),
    "delete": lambda id: ("DELETE", f"{URL}{id}", None),
    "bulk": lambda id: ("POST", BULK, {"ids": [id], "is_active": False}),
}
ROUNDS = 8


def together(calls: Sequence[Callable[[], Any]]) -> list[int]:
    """The statuses of calls that start at the same moment."""
    start = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> int:
        start.wait(10)
        status, *_ = call()
        return int(status)

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def superusers(app: App, number: int) -> list[Member]:
    """So many active superusers, and no others."""
    with app.app_context(), transaction():
        db.session.execute(update(User).values(is_superuser=False))
    return [enter(app, is_superuser=True) for _ in range(number)]


def left(app: App) -> int:
    """How many active superusers there are."""
    with app.app_context():
        return len(
            db.session.scalars(service.search(is_active=True).where(User.is_superuser)).all()
        )


@pytest.mark.parametrize(("one", "other"), [*combinations_with_replacement(WAYS, 2)])
def test_of_two_superusers_who_take_each_others_rights_one_stays(
    server: Server, beside: App, one: str, other: str
) -> None:
    for _ in range(ROUNDS):
        ada, bob = superusers(beside, 2)
        statuses = together(
            [
                partial(server.call, *WAYS[one](bob.id), ada.headers),
                partial(server.call, *WAYS[other](ada.id), bob.headers),
            ]
        )
        assert len({200, 204} & set(statuses)) == 1, statuses
        assert {401, 403, 409} & set(statuses), statuses
        assert left(beside) == 1


def test_of_many_superusers_who_all_take_rights_one_stays(server: Server, beside: App) -> None:
    ways = list(WAYS.values())
    for _ in range(ROUNDS):
        members = superusers(beside, 8)
        targets = [*members[1:], members[0]]
        calls = [
            partial(server.call, *ways[number % 4](target.id), member.headers)
            for number, (member, target) in enumerate(zip(members, targets, strict=True))
        ]
        statuses = Counter(together(calls))
        assert statuses.keys() <= {200, 204, 401, 403, 409}, statuses
        assert left(beside) == 8 - statuses[200] - statuses[204] >= 1


def test_who_waits_for_the_other_sees_what_the_other_did(own: App) -> None:
    """The same without luck: the second begins while the first has not committed."""
    with own.app_context(), transaction():
        ada, bob = (make_user(is_superuser=True) for _ in range(2))
        ids = ada.id, bob.id
    for take in (
        lambda id, by: service.update(id, {"is_superuser": False}, by=by),
        lambda id, by: service.update(id, {"is_active": False}, by=by),
        lambda id, by: service.delete(id, by=by),
        lambda id, by: service.set_status([id], False, by=by),
    ):
        taken, go = Event(), Event()

        def first(taken: Event = taken, go: Event = go) -> None:
            service.update(ids[1], {"is_superuser": False}, by=service.get(ids[0]))
            taken.set()
            go.wait(10)

        def second(take: Callable[[int, User], Any] = take) -> Any:
            return take(ids[0], service.get(ids[1]))

        with ThreadPoolExecutor(2) as pool:
            one = pool.submit(done, own, first)
            assert taken.wait(10)
            other = pool.submit(done, own, second)
            with pytest.raises(TimeoutError):
                other.result(0.2)
            go.set()
            assert one.result() is None
            refusal = other.result()
        assert isinstance(refusal, service.LastSuperuser | OnlySuperusers)
        with own.app_context(), transaction():
            service.update(ids[1], {"is_superuser": True}, by=None)


@pytest.mark.parametrize("flag", ["is_superuser", "is_active"])
def test_nobody_gives_oneself_back_what_is_being_taken(own: App, flag: str) -> None:
    root, bob = enter(own, is_superuser=True), enter(own, is_superuser=True)
    taken, go = Event(), Event()

    def take() -> None:
        service.update(bob.id, {flag: False}, by=service.get(root.id))
        taken.set()
        go.wait(10)

    def give() -> TestResponse:
        call = own.test_client().patch
        return call(f"{URL}{bob.id}", json={flag: True, "bio": "x"}, headers=bob.headers)

    with ThreadPoolExecutor(2) as pool:
        taking = pool.submit(done, own, take)
        assert taken.wait(10)
        giving = pool.submit(give)
        with pytest.raises(TimeoutError):
            giving.result(0.2)
        go.set()
        assert taking.result(10) is None
        assert giving.result(10).status_code == 403
    with own.app_context():
        assert getattr(service.get(bob.id), flag) is False


def test_who_is_deleted_while_writing_gets_a_refusal(
    own: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, ada = enter(own, is_superuser=True), enter(own)

    def delete() -> None:
        work = partial(service.delete, ada.id, by=User(id=root.id))
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(done, own, work).result(10) is None

    between(monkeypatch, posts, "save", delete)
    sent = {"title": "On lamps", "content": "They burn."}
    answer = own.test_client().post("/api/v1/posts/", json=sent, headers=ada.headers)
    assert answer.status_code == 401, answer.text


def test_many_at_once_in_opposite_order_do_not_wait_for_each_other(
    server: Server, beside: App
) -> None:
    [root, other] = superusers(beside, 2)
    with beside.app_context(), transaction():
        ids = [make_user().id for _ in range(100)]
    calls = [
        partial(
            server.call,
            "POST",
            BULK,
            {"ids": ids if number % 2 else ids[::-1], "is_active": number % 3 > 0},
            (root if number % 4 < 2 else other).headers,
        )
        for number in range(12)
    ]
    calls += [
        partial(server.call, *WAYS[way](id), root.headers)
        for way, id in (("deactivate", ids[0]), ("delete", ids[50]), ("demote", ids[99]))
    ]
    statuses = Counter(together(calls))
    assert statuses == {200: 14, 204: 1}


@pytest.mark.parametrize("name", ["username", "email"])
def test_one_name_for_many_at_once_goes_to_one(server: Server, beside: App, name: str) -> None:
    [root] = superusers(beside, 1)
    spellings = ["hopper@exämple.org", "HOPPER@EXA\u0308MPLE.ORG", "hopper@xn--exmple-cua.org"]
    members = [enter(beside) for _ in range(6)]
    calls = []
    for number, member in enumerate(members):
        value = spellings[number % 3] if name == "email" else ["grace", " GRACE "][number % 2]
        fresh = {"username": f"new{number}", "email": f"new{number}-{name}@example.org"}
        made = {"password": PASSWORD, **fresh, name: value}
        me = partial(server.call, "PATCH", f"{URL}me", {name: value}, member.headers)
        calls += [partial(server.call, "POST", URL, made, root.headers), me]
    statuses = Counter(together(calls))
    assert (statuses[200] + statuses[201], statuses[400]) == (1, 11), statuses
