"""Everything is called by everybody; then no answer and no line of the log tells a secret."""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Any

import psycopg2
import pytest

from tests.conftest import SECRET
from tests.house.rooms import ROOMS, Room
from tests.house.test_answers import accepted, reads_file
from tests.house.test_openapi import Operation
from tests.house.world import by_id
from tests.http import multipart
from tests.server import Server

PEOPLE = ["ada", "bob", "eve", "root"]  # bob is whom things belong to, root is a superuser
VIEWERS = ["", *PEOPLE]
HAND_MADE: dict[str, str] = {"products": "product", "posts": "post", "webhooks": "webhook"}
LAST = ["change_password", "delete_session", "logout", "logout_all", "set_status", "delete_user"]
CLOSING: list[str] = ["commit_reservation", "release_reservation"]
TOKENS = {"login", "refresh"}  # what these answer is for the caller's eyes
KEYS = {"create_webhook", "rotate_secret"}  # and these, one secret
PASSWORD = "Tr0ub4dor-{0}-&3"
MAIL = "{0}.mail@{0}-secret.example.org"
SECRETS = {"password", "current_password", "token", "refresh_token", "login"}
LOGGED = {"method", "path", "operation", "status", "milliseconds", "user_id", "request_id"}
LOGGED |= {"event", "level", "time"}
HASHES = ["$argon2", "argon2id", "$2b$", "$scrypt"]
JOB = """
WITH queued AS (
    INSERT INTO procrastinate_jobs (queue_name, task_name, status)
    VALUES ('default', 'mail.send', 'succeeded') RETURNING id
)
INSERT INTO jobs (id, actor_id, request_id) SELECT id, %s, 'some-request' FROM queued RETURNING id
"""


@dataclass
class Answer:
    """What somebody got, for what."""

    viewer: str
    operation: str
    status: int
    sent: str
    text: str


@dataclass
class Record:
    """All that was answered, and all that should not have been."""

    server: Server
    answers: list[Answer] = field(default_factory=list)
    passwords: set[str] = field(default_factory=set)
    emails: dict[str, str] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    told_once: set[str] = field(default_factory=set)
    reset_tokens: set[str] = field(default_factory=set)
    bearer: dict[str, str] = field(default_factory=dict)
    refresh: dict[str, str] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    things: dict[str, int] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def call(
        self,
        operation: str,
        viewer: str,
        body: Any = None,
        *,
        path: str = "",
        method: str = "",
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Call it and keep the answer."""
        described = self.operations[operation]
        address = path or self.path(described["path"])
        sent = {**self.headers(viewer), **(headers or {})}
        verb = method or str(described["method"]).upper()
        status, document, answered = self.server.call(verb, address, body, sent)
        text = f"{json.dumps(document, ensure_ascii=False)}\n{answered}"
        asked = f"{address}\n{json.dumps(body, ensure_ascii=False, default=str)}"
        self.answers.append(Answer(viewer, operation, status, asked, text))
        if operation in TOKENS and status == 200:
            self.tokens |= {document["access_token"], document["refresh_token"]}
        if operation in KEYS and status < 300:
            self.told_once.add(document["secret"].removeprefix("whsec_"))
        return document

    def headers(self, viewer: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.bearer[viewer]}"} if viewer in self.bearer else {}

    def path(self, path: str) -> str:
        segment = path.partition("/{id}")[0].rpartition("/")[2]
        table = segment.replace("-", "_")
        kind = table if table in ROOMS else segment.removesuffix("s")
        path = re.sub(r"\{(\w+)_id\}", lambda other: str(self.things[other[1]]), path)
        return path.replace("{id}", str(self.things.get(kind)))

    @cached_property
    def operations(self) -> dict[str, Operation]:
        """Every operation by its id, with its address and its method."""
        return by_id(self.server.call("GET", "/api/v1/openapi.json")[1])

    def somebody(self, name: str) -> dict[str, str]:
        """An account to be made, all secrets kept in mind."""
        self.passwords.add(password := PASSWORD.format(name))
        self.emails[address := MAIL.format(name)] = name
        return {"username": name, "email": address, "password": password}

    def sign_in(self, name: str) -> None:
        pair = self.call("login", "", {"login": name, "password": PASSWORD.format(name)})
        self.bearer[name], self.refresh[name] = pair["access_token"], pair["refresh_token"]

    def settle(self) -> None:
        """The people, and what belongs to bob."""
        for name in PEOPLE:
            account = self.somebody(name)
            if name == "root":
                made = [name, account["email"], "--password", account["password"], "--superuser"]
                told = self.server.flask("users", "create", *made)
                assert told.returncode == 0
                assert account["password"] not in told.stdout + told.stderr
            else:
                self.call("register", "", account)
            self.sign_in(name)
            self.ids[name] = self.call("get_me", name)["id"]
        self.renew()

    def renew(self) -> None:
        """Things of bob's: what is done to them is different each time."""
        self.sign_in("bob")
        self.things = {
            "user": self.ids["bob"],
            "session": self.call("list_sessions", "bob")["items"][-1]["id"],
            "job": self.job("bob"),
        }
        words = {"title": "Words", "content": "More words.", "is_published": True}
        self.things |= {"post": self.call("create_post", "bob", words)["id"]}
        product = self.call("create_product", "bob", self.valid("create_product"))["id"]
        lines = [{"product_id": product, "quantity": -1, "reason": "sold"}]
        [movement] = self.call("create_movements", "bob", {"movements": lines})["movements"]
        self.things |= {"product": product, "movement": movement["id"]}
        held = {"lines": [{"product_id": product, "quantity": 1}]}
        self.things |= {"reservation": self.call("create_reservation", "bob", held)["id"]}
        self.sign_in("root")
        webhook = self.call("create_webhook", "root", self.valid("create_webhook"))
        path = f"/api/v1/webhooks/{webhook['id']}/test"
        delivery = self.call("test_webhook", "root", path=path)
        self.things |= {"webhook": webhook["id"], "delivery": delivery["id"]}
        self.things |= {table: self.make(room, "bob") for table, room in ROOMS.items()}

    def make(self, room: Room, viewer: str) -> int:
        """A row of a room; what it refers to is root's, so that bob's things can be deleted."""
        return int(self.call(f"create_{room.thing}", viewer, self.body(room))["id"])

    def body(self, room: Room) -> dict[str, Any]:
        """What a row of it is made of that is like no other."""
        return room.body(**{name: self.other(table) for name, table in room.needed.items()})

    def other(self, table: str) -> int:
        """The id of something that is there and nobody else deletes."""
        if table == "users":
            return self.ids["root"]
        if table in ROOMS:
            return self.make(ROOMS[table], "root")
        known = f"create_{HAND_MADE[table]}"
        return int(self.call(known, "root", self.valid(known))["id"])

    def job(self, name: str) -> int:
        """A job that somebody asked for."""
        with (
            closing(self.server.connect()) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(JOB, [self.ids[name]])
            [(id,)] = cursor.fetchall()
        return int(id)

    def valid(self, operation: str, viewer: str = "") -> Any:
        """The body of the example with secrets and names of this world."""
        for room in ROOMS.values():
            if operation in room.writing:
                return self.body(room)
        body = accepted(self.operations[operation]).get("json")
        if body is None:
            return None
        body.pop("expected_stock", None)  # everybody moves it
        new = self.somebody(f"new{next(self.numbers)}")
        fresh = {**new, "name": new["username"], "ids": [self.ids.get("bob", 1)]}
        fresh |= {"login": viewer or "bob", "refresh_token": self.refresh.get(viewer, "none")}
        fresh |= {"token": "none", "current_password": PASSWORD.format(viewer or "bob")}
        if operation == "login":
            fresh["password"] = PASSWORD.format(fresh["login"])
        if operation == "change_password":
            fresh["password"] = fresh["current_password"]
        if operation == "patch_me":
            fresh |= {"username": viewer, "email": MAIL.format(viewer)}
        if operation == "patch_user":
            known = {"username": "bob", "email": MAIL.format("bob")}
            fresh |= {**known, "password": PASSWORD.format("bob")}
        return {name: fresh.get(name, value) for name, value in body.items()}

    def query(self, operation: str) -> str:
        asked = accepted(self.operations[operation]).get("query_string", {})
        return "?" + "&".join(f"{name}={value}" for name, value in asked.items()) if asked else ""


@pytest.fixture(scope="module")
def record(server: Server) -> Record:
    """Everything called by everybody, rightly and wrongly."""
    record = Record(server)
    record.settle()
    with server.worker():
        for operation in [*(name for name in record.operations if name not in LAST), *LAST]:
            for viewer in VIEWERS:
                tried(record, operation, viewer)
        lose_a_password(record)
        mistype(record)
    return record


def tried(record: Record, operation: str, viewer: str) -> None:
    """A valid call, by somebody who is signed in, about things that are there."""
    if operation in LAST:
        restore(record)
        for name in {viewer, "bob"} - {""}:
            record.sign_in(name)
    path = record.path(record.operations[operation]["path"]) + record.query(operation)
    if reads_file(record.operations[operation]):
        [(content, _)] = accepted(record.operations[operation])["data"].values()
        sent = multipart.file(content.getvalue())
        headers = {"Content-Type": sent["content_type"]}
        record.call(operation, viewer, sent["data"], path=path, headers=headers)
    else:
        record.call(operation, viewer, record.valid(operation, viewer), path=path)
    ends = operation.startswith("delete_") and operation != "delete_user"
    if ends or operation in CLOSING:
        record.renew()


def restore(record: Record) -> None:
    """Bob is there and active, whatever was done to him."""
    record.sign_in("root")
    path = f"/api/v1/users/{record.ids['bob']}"
    record.call("patch_user", "root", {"is_active": True}, path=path)


def lose_a_password(record: Record) -> None:
    record.sign_in("ada")
    record.call("forgot_password", "", {"email": MAIL.format("ada")})
    record.call("forgot_password", "eve", {"email": MAIL.format("ada")})
    record.reset_tokens |= (mailed := mails(record, 2))
    for token in mailed:
        for password in ("short", "password", PASSWORD.format("ada")):
            record.call("reset_password", "eve", {"token": token, "password": password})


def mails(record: Record, number: int) -> set[str]:
    """The tokens in so many mails, which are on their way."""
    folder, deadline = record.server.log.parent / "mail", time.monotonic() + 60
    found: set[str] = set()
    while len(found) < number and time.monotonic() < deadline:
        time.sleep(0.02)
        for file in folder.glob("*.eml"):
            found |= set(re.findall('"token": "([^"]+)"', file.read_text()))
    return found


def mistype(record: Record) -> None:
    """Secrets in bodies that are refused, one way or another."""
    for name in PEOPLE:
        if name != "bob":
            record.sign_in(name)
    for operation, described in record.operations.items():
        if "requestBody" in described and not reads_file(described):
            body = record.valid(operation, "root")
            secret = f"{PASSWORD.format('typed')}{operation}"
            record.passwords.add(secret)
            spoiled: list[Any] = [secret, [secret], {**body, "pasword": secret}]
            ours = any(operation in room.writing for room in ROOMS.values())
            for name in set() if ours else body.keys() & SECRETS:
                odd = [[secret], {secret[:4]: secret}, secret * 9, f"{secret}\0", secret[:3]]
                spoiled += [{**body, name: value} for value in odd]
            for wrong in spoiled:
                record.call(operation, "root", wrong)
    for viewer in ("ada", "root"):
        token = record.bearer[viewer]
        path = f"/api/v1/users/?access_token={token}&q={record.refresh[viewer]}"
        record.call("list_users", viewer, path=path)
        for header in (f"Basic {token}", f"Bearer {token}x", f"Bearer {token} {token}", token):
            record.call("get_me", "", headers={"Authorization": header})
        record.call("get_me", viewer, headers={"Cookie": f"token={token}", "X-Token": token})
        record.call("refresh", "", {"refresh_token": token})
        record.call("login", "", {"login": token, "password": record.refresh[viewer]})


def readable(text: str) -> str:
    """The text in lower case, together with what stands in it as base64."""
    found = [text]
    for piece in set(re.findall("[A-Za-z0-9_-]{16,}", text)):
        try:
            raw = base64.urlsafe_b64decode(piece + "=" * (-len(piece) % 4))
        except binascii.Error:
            continue
        found.append(raw.decode(errors="replace"))
    return "\n".join(found).lower()


def holds(text: str, secrets: Any) -> list[str]:
    return [secret for secret in secrets if secret.lower() in text]


def test_everything_was_called_by_everybody_and_worked_for_somebody(record: Record) -> None:
    called = {(answer.operation, answer.viewer) for answer in record.answers}
    assert called >= {(operation, who) for operation in record.operations for who in VIEWERS}
    worked = {answer.operation for answer in record.answers if answer.status < 300}
    assert worked == set(record.operations)
    assert {answer.status for answer in record.answers if answer.status >= 500} == set()
    assert len(record.reset_tokens) == 2
    assert len(record.tokens) > 20


def test_no_answer_tells_a_password_or_a_hash(record: Record) -> None:
    for answer in record.answers:
        assert holds(readable(answer.text), [*record.passwords, *HASHES, "hashed", SECRET]) == [], (
            answer
        )


def test_tokens_are_answered_only_to_whom_they_are_issued(record: Record) -> None:
    for answer in record.answers:
        told = holds(answer.text.lower(), [*record.tokens, *record.reset_tokens])
        assert len(told) == (2 if answer.operation in TOKENS and answer.status == 200 else 0), (
            answer
        )


def test_the_secret_of_a_webhook_is_answered_when_it_is_made_and_never_again(
    record: Record,
) -> None:
    assert len(record.told_once) >= 2
    for answer in record.answers:
        told = holds(answer.text.lower(), record.told_once)
        assert len(told) == (answer.operation in KEYS and answer.status < 300), answer


def test_nobody_but_superusers_is_told_the_address_of_another(record: Record) -> None:
    for answer in record.answers:
        if answer.viewer != "root":
            known = answer.sent.lower()
            told = holds(readable(answer.text), record.emails)
            others = [one for one in told if record.emails[one] != answer.viewer]
            assert [one for one in others if one.lower() not in known] == [], answer


def test_the_log_tells_no_secret(record: Record) -> None:
    logged = record.server.log.read_text()
    assert logged.count('"event": "request"') >= len(record.answers)
    secrets = [*record.passwords, *record.tokens, *record.reset_tokens, *record.emails]
    secrets += record.told_once
    assert holds(readable(logged), [*secrets, *HASHES, SECRET]) == []
    for line in logged.splitlines():
        if line.startswith("{") and (event := json.loads(line))["event"] == "request":
            assert set(event) == LOGGED


def test_a_bug_in_the_log_tells_no_secret(record: Record) -> None:
    """PostgreSQL shows the whole row that breaks a rule of which we have no sentence."""
    record.sign_in("root")
    account = {**record.somebody("mallory"), "full_name": "Mal\nlory", "bio": "One\nbio-secret."}
    bio = "Two\ntitle-secret, three\n\n[SQL: x]\ncontent-secret"
    mail = MAIL.format("another-mallory")
    with broken(record, "users", "username !~ 'mallory' AND bio !~ 'Two'"):
        began = record.server.log.stat().st_size
        tries = [
            record.call("register", "", account),
            record.call("create_user", "root", account),
            record.call("patch_me", "root", {"bio": bio}),
            record.call("patch_me", "root", {"username": "mallory", "email": mail}),
        ]
    assert [answer["status"] for answer in tries] == [500, 500, 500, 500]
    logged = record.server.log.read_bytes()[began:].decode()
    assert logged.count("CheckViolation") >= 4
    secrets = [*record.passwords, *record.emails, mail, "bio-secret", "title-secret"]
    secrets += ["content-secret", "lory", "example.org"]
    assert holds(readable(logged), [*secrets, *HASHES, SECRET]) == []
    for answer in record.answers[-4:]:
        assert holds(readable(answer.text), ["check", "users", "select", "psycopg", "row"]) == []


@contextmanager
def broken(record: Record, table: str, rule: str) -> Iterator[None]:
    """A rule of the database that the application has never heard of."""
    url = record.server.environment["DATABASE_URL"].replace("+psycopg2", "")
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT unheard_of CHECK ({rule}) NOT VALID")
        yield
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT unheard_of")
