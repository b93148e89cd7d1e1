"""What only a real server in haste can show: two workers, many threads, and who comes too late.

Each test has somebody of its own, so that they all share one server.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from email.message import EmailMessage
from functools import partial
from typing import Any

import psycopg2
import pytest
from argon2 import PasswordHasher

from project.users import passwords
from tests.auth.discreet import told
from tests.auth.steps import AUTH, ME, NEW, at_once, bearer
from tests.conftest import administration
from tests.letters import opened, token_in
from tests.server import Server
from tests.users.make import PASSWORD

Pair = dict[str, Any]
Answer = tuple[int, Any]
LOST = "Choose a new password"


@pytest.fixture(autouse=True, scope="module")
def _worker(server: Server) -> Iterator[None]:
    """Who sends the mails."""
    with server.worker():
        yield


@pytest.fixture(autouse=True)
def _nothing_breaks(server: Server) -> Iterator[None]:
    """Whatever a test does: no bug, and nobody's secret in the log."""
    yield
    log = server.log.read_text()
    assert '"event": "bug"' not in log
    assert told(log) == []


class Visitor:
    """Somebody with an account of a real server, signed in."""

    def __init__(self, server: Server, name: str) -> None:
        self.server, self.name, self.email = server, name, f"{name}@example.org"
        account = {"username": name, "email": self.email, "password": PASSWORD}
        status, self.account = self.post(f"{AUTH}/register", account)
        assert status == 201, self.account
        self.pair = self.sign_in()

    def post(self, path: str, body: Any = None, pair: Pair | None = None) -> Answer:
        headers = {} if pair is None else bearer(pair)
        status, answer, _ = self.server.call("POST", path, body, headers)
        return status, answer

    def login(self, password: str = PASSWORD) -> Answer:
        return self.post(f"{AUTH}/login", {"login": self.name, "password": password})

    def sign_in(self) -> Pair:
        status, pair = self.login()
        assert status == 200, pair
        return dict(pair)

    def refresh(self, pair: Pair | None = None) -> Answer:
        token = (pair or self.pair)["refresh_token"]
        return self.post(f"{AUTH}/refresh", {"refresh_token": token})

    def out(self, path: str = "logout", pair: Pair | None = None) -> int:
        return self.post(f"{AUTH}/{path}", pair=pair or self.pair)[0]

    def me(self, pair: Pair | None = None) -> int:
        return self.server.call("GET", ME, headers=bearer(pair or self.pair))[0]

    def change(self, new: str, pair: Pair | None = None, current: str = PASSWORD) -> int:
        body = {"current_password": current, "password": new}
        return self.post(f"{ME}/password", body, pair or self.pair)[0]

    def forgot(self) -> int:
        return self.post(f"{AUTH}/password/forgot", {"email": self.email})[0]

    def reset(self, token: str, password: str = NEW) -> int:
        return self.post(f"{AUTH}/password/reset", {"token": token, "password": password})[0]

    def tokens(self, number: int) -> list[str]:
        """So many tokens that are mailed, out of the folder where the worker writes its mail."""
        assert {self.forgot() for _ in range(number)} == {202}
        return [token_in(message) for message in self.resets()]

    def resets(self) -> list[EmailMessage]:
        """The mails with a token that were written since one asked last, once all is done."""
        waiting, deadline = "SELECT FROM jobs WHERE finished_at IS NULL", time.monotonic() + 15
        with administration(self.server.environment["DATABASE_URL"]) as do:
            while do(waiting):
                assert time.monotonic() < deadline
                time.sleep(0.02)
        found = opened(self.server.log.parent / "mail")
        return [each for each in found if (each["To"], each["Subject"]) == (self.email, LOST)]


@contextmanager
def too_late(server: Server, call: Callable[[], Any], *statements: str) -> Iterator[Future[Any]]:
    """What comes of a call when these statements were there first, and committed while it ran."""
    plain = server.environment["DATABASE_URL"].replace("postgresql+psycopg2", "postgresql")
    with closing(psycopg2.connect(plain)) as connection, connection.cursor() as hand:
        for statement in statements:
            hand.execute(statement)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(call)
            deadline = time.monotonic() + 1.5  # the server waits for a lock no longer than two
            waiting = False
            while not (answer.done() or waiting) and time.monotonic() < deadline:
                time.sleep(0.01)
                hand.execute("SELECT FROM pg_locks WHERE NOT granted")
                waiting = bool(hand.rowcount)
            connection.commit()
            yield answer


def test_of_twenty_refreshes_at_once_one_is_answered_and_the_session_lives(server: Server) -> None:
    """And what comes too late ends the session, though the answer is a refusal."""
    visitor = Visitor(server, "twenty")
    other = visitor.sign_in()
    answers = at_once(*[visitor.refresh] * 20)
    assert Counter(status for status, _ in answers) == {200: 1, 409: 19}
    [newer] = [answer for status, answer in answers if status == 200]
    assert at_once(*[partial(visitor.me, newer)] * 8) == [200] * 8
    status, newest = visitor.refresh(newer)
    assert status == 200

    with administration(server.environment["DATABASE_URL"]) as do:
        assert do("SELECT FROM refresh_tokens WHERE used_at IS NOT NULL") == 2
        do("UPDATE refresh_tokens SET used_at = used_at - interval '11 seconds'")
    ended = server.log.read_text().count('"session.ended"')
    late = at_once(*[visitor.refresh] * 8)
    assert Counter(status for status, _ in late) == {401: 8}
    for each in (visitor.pair, newer, newest):
        assert at_once(*[partial(visitor.me, each)] * 8) == [401] * 8
    assert visitor.refresh(newest)[0] == 401
    assert visitor.me(other) == 200
    assert visitor.refresh(other)[0] == 200
    assert server.log.read_text().count('"session.ended"') == ended + 1


def test_every_worker_knows_at_once_who_signed_out(server: Server) -> None:
    """Asked by many threads of two workers, none of which may have kept an answer of its own."""
    visitor = Visitor(server, "everywhere")
    one, two = visitor.pair, visitor.sign_in()
    ask_one, ask_two = partial(visitor.me, one), partial(visitor.me, two)
    assert at_once(*[ask_one, ask_two] * 8) == [200] * 16
    assert visitor.out("logout", one) == 204
    assert ask_one() == 401
    assert at_once(*[ask_one, ask_two] * 8) == [401, 200] * 8
    assert visitor.out("logout-all", two) == 204
    assert at_once(*[ask_two] * 16) == [401] * 16
    assert (visitor.refresh(one)[0], visitor.refresh(two)[0]) == (401, 401)


@pytest.mark.parametrize("path", ["logout", "logout-all"])
def test_signing_out_twice_at_once_is_no_error(server: Server, path: str) -> None:
    """Who comes second was signed in when he asked, or he was not any more: 204 or 401."""
    visitor = Visitor(server, f"twice-{path}")
    for _ in range(4):
        answers = at_once(*[partial(visitor.out, path, visitor.sign_in())] * 8)
        assert {204} <= {*answers} <= {204, 401}


def test_a_session_that_is_refreshed_while_it_ends_is_over(server: Server) -> None:
    """Whoever comes first, nothing of it is left, and nobody waits for the other in vain."""
    visitor = Visitor(server, "hasty")
    for path in ("logout", "logout-all") * 3:
        pair = visitor.sign_in()
        left, (status, newer) = at_once(
            partial(visitor.out, path, pair), partial(visitor.refresh, pair)
        )
        assert left == 204
        assert status in (200, 401)
        if status == 200:
            assert visitor.me(newer) == 401
            assert visitor.refresh(newer)[0] == 401
        assert visitor.me(pair) == 401


def test_one_name_for_twelve_at_once_goes_to_one(server: Server) -> None:
    """However each of them spells it, and whichever of the two names is the same."""
    one = [(f"eve{n}@example.org", name) for n, name in enumerate(spelled("eve"))]
    two = [(name, f"other{n}") for n, name in enumerate(spelled("other@example.org"))]
    for names, code in ((one, "duplicate_username"), (two, "duplicate_email")):
        bodies = [{"email": email, "username": name} for email, name in names]
        calls = (
            partial(server.call, "POST", f"{AUTH}/register", {**body, "password": PASSWORD})
            for body in bodies * 2
        )
        answers = at_once(*calls)
        assert Counter(status for status, _, _ in answers) == {201: 1, 400: 11}
        codes = {body["code"] for status, body, _ in answers if status == 400}
        assert code in codes <= {"duplicate_username", "duplicate_email"}


def spelled(name: str) -> tuple[str, ...]:
    """Six spellings of one name."""
    return name, name.upper(), name.title(), f" {name}", f"{name}\t", f"\n{name} "


def test_eight_sign_in_at_once_whose_hash_is_too_weak(server: Server) -> None:
    visitor = Visitor(server, "weak")
    weak = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    with administration(server.environment["DATABASE_URL"]) as do:
        do("UPDATE users SET hashed_password = %s WHERE username = 'weak'", weak)
    entered = at_once(*[visitor.login] * 8)
    assert [status for status, _ in entered] == [200] * 8
    assert [visitor.me(pair) for _, pair in entered] == [200] * 8


def test_who_signs_in_while_the_password_changes_is_too_late(server: Server) -> None:
    """The change has ended every session there was, and is about to be committed."""
    visitor = Visitor(server, "late")
    where = "WHERE username = 'late'"
    ended = f"DELETE FROM sessions WHERE user_id = (SELECT id FROM users {where})"
    new = f"UPDATE users SET hashed_password = '{passwords.hash(NEW)}' {where}"
    with too_late(server, visitor.login, new, ended) as answer:
        status, pair = answer.result(10)
    assert status == 401 or visitor.me(pair) == 401
    assert visitor.login()[0] == 401
    assert visitor.login(NEW)[0] == 200


def test_who_signs_in_while_the_account_is_deleted_is_nobody(server: Server) -> None:
    visitor = Visitor(server, "gone")
    with too_late(server, visitor.login, "DELETE FROM users WHERE username = 'gone'") as answer:
        assert answer.result(10)[0] == 401


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("moves", "UPDATE users SET email = 'new-{0}' WHERE email = '{0}'"),
        ("sleeps", "UPDATE users SET is_active = false WHERE email = '{0}'"),
        ("leaves", "DELETE FROM users WHERE email = '{0}'"),
    ],
)
def test_no_token_is_mailed_to_an_address_that_is_being_given_up(
    server: Server, name: str, change: str
) -> None:
    """Else it would outlive the change that makes all tokens void."""
    visitor = Visitor(server, name)

    def ask() -> list[EmailMessage]:
        assert visitor.forgot() == 202
        return visitor.resets()

    with too_late(server, ask, change.format(visitor.email)) as mails:
        assert mails.result(20) == []
    with administration(server.environment["DATABASE_URL"]) as do:
        kept = "SELECT FROM password_resets WHERE user_id = %s"
        assert do(kept, visitor.account["id"]) == 0


def test_of_two_changes_at_once_one_is_too_late(server: Server) -> None:
    """Each from a session of its own: the password that was changed proves nothing any more."""
    visitor = Visitor(server, "changes")
    for turn in range(2):  # each begins with PASSWORD
        pairs = [visitor.sign_in() for _ in range(2)]
        new = [f"staple {turn} of {n}" for n in range(2)]
        calls = (partial(visitor.change, *each) for each in zip(new, pairs, strict=True))
        statuses = at_once(*calls)
        assert sorted(statuses) in ([204, 400], [204, 401])
        winner = statuses.index(204)
        alone = [200 if n == winner else 401 for n in range(2)]
        assert [visitor.login(each)[0] for each in new] == alone
        assert [visitor.me(pair) for pair in pairs] == alone
        assert visitor.change(PASSWORD, pairs[winner], new[winner]) == 204


def test_one_token_for_eight_at_once_counts_once(server: Server) -> None:
    visitor = Visitor(server, "eight")
    [token] = visitor.tokens(1)
    new = [f"{n} more staples" for n in range(8)]
    statuses = at_once(*(partial(visitor.reset, token, each) for each in new))
    assert Counter(statuses) == {204: 1, 400: 7}
    assert visitor.login(new[statuses.index(204)])[0] == 200
    assert visitor.login()[0] == visitor.me() == 401


def test_of_two_tokens_at_once_one_counts(server: Server) -> None:
    """Whoever changes the password first makes the other's token void; nobody waits in vain."""
    visitor = Visitor(server, "lost")
    for _ in range(3):
        tokens = visitor.tokens(2)
        assert len(tokens) == 2
        statuses = at_once(*(partial(visitor.reset, token) for token in tokens))
        assert sorted(statuses) == [204, 400]  # a deadlock would be 503


def test_all_that_can_be_done_at_once_gets_an_answer(server: Server) -> None:
    """Nobody waits for another who waits for him: that would be a 503."""
    visitor = Visitor(server, "busy")
    seen: Counter[int] = Counter()
    for _ in range(3):
        tokens, pairs = visitor.tokens(2), [visitor.sign_in() for _ in range(3)]
        calls: list[Callable[[], Any]] = [
            *(partial(visitor.reset, token, PASSWORD) for token in tokens),
            *(partial(visitor.refresh, pair) for pair in pairs),
            *(partial(visitor.change, PASSWORD, pair) for pair in pairs),
            partial(visitor.out, "logout-all", pairs[0]),
            partial(visitor.out, "logout", pairs[1]),
            *(partial(call) for call in (visitor.login, visitor.forgot) for _ in range(3)),
        ]
        answers = at_once(*calls)
        seen.update(each[0] if isinstance(each, tuple) else each for each in answers)
    assert seen.keys() <= {200, 202, 204, 400, 401, 409}
    assert visitor.login()[0] == 200
