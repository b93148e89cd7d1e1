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
from tests.house.test_answers import accepted, reads_file
from tests.house.test_openapi import Operation
from tests.house.world import by_id
from tests.http import multipart
from tests.server import Server

PEOPLE = ["ada", "bob", "eve", "root"]  # bob is whom things belong to, root is a superuser
VIEWERS = ["", *PEOPLE]
LAST = ["change_password", "delete_session", "logout", "logout_all", "set_status", "delete_user"]
CLOSING = {"commit_reservation", "release_reservation"}
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
    VALUES ('default', 'products.import', 'succeeded') RETURNING id
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
class Ledger:
    """All that was answered, and all that should not have been."""

    server: Server
    answers: list[Answer] = field(default_factory=list)
    passwords: set[str] = field(default_factory=set)
    emails: dict[str, str] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    webhook_secrets: set[str] = field(default_factory=set)
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
            self.webhook_secrets.add(document["secret"].removeprefix("whsec_"))
        return document

    def headers(self, viewer: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.bearer[viewer]}"} if viewer in self.bearer else {}

    def path(self, path: str) -> str:
        kind = path.partition("s/{id}")[0].rpartition("/")[2]
        path = path.replace("{delivery_id}", str(self.things.get("delivery")))
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
        post = {"title": "Words", "content": "More words.", "is_published": True}
        product = self.call("create_product", "bob", self.valid("create_product"))["id"]
        lines = [{"product_id": product, "quantity": -1, "reason": "sold"}]
        [movement] = self.call("create_movements", "bob", {"movements": lines})["movements"]
        held = {"lines": [{"product_id": product, "quantity": 1}]}
        self.sign_in("root")
        webhook = self.call("create_webhook", "root", self.valid("create_webhook"))
        at = f"/api/v1/webhooks/{webhook['id']}"
        self.things = {
            "user": self.ids["bob"],
            "post": self.call("create_post", "bob", post)["id"],
            "session": self.call("list_sessions", "bob")["items"][-1]["id"],
            "product": product,
            "movement": movement["id"],
            "reservation": self.call("create_reservation", "bob", held)["id"],
            "job": self.job("bob"),
            "webhook": webhook["id"],
            "delivery": self.call("test_webhook", "root", path=f"{at}/test")["id"],
        }

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
def ledger(server: Server) -> Ledger:
    """Everything called by everybody, rightly and wrongly."""
    ledger = Ledger(server)
    ledger.settle()
    with server.worker():
        for operation in [*(name for name in ledger.operations if name not in LAST), *LAST]:
            for viewer in VIEWERS:
                tried(ledger, operation, viewer)
        lose_a_password(ledger)
        mistype(ledger)
    return ledger


def tried(ledger: Ledger, operation: str, viewer: str) -> None:
    """A valid call, by somebody who is signed in, about things that are there."""
    if operation in LAST:
        restore(ledger)
        for name in {viewer, "bob"} - {""}:
            ledger.sign_in(name)
    path = ledger.path(ledger.operations[operation]["path"]) + ledger.query(operation)
    if reads_file(ledger.operations[operation]):
        [(content, _)] = accepted(ledger.operations[operation])["data"].values()
        sent = multipart.file(content.getvalue())
        headers = {"Content-Type": sent["content_type"]}
        ledger.call(operation, viewer, sent["data"], path=path, headers=headers)
    else:
        ledger.call(operation, viewer, ledger.valid(operation, viewer), path=path)
    ends = operation.startswith("delete_") and operation != "delete_user"
    if ends or operation in CLOSING:
        ledger.renew()


def restore(ledger: Ledger) -> None:
    """Bob is there and active, whatever was done to him."""
    ledger.sign_in("root")
    path = f"/api/v1/users/{ledger.ids['bob']}"
    ledger.call("patch_user", "root", {"is_active": True}, path=path)


def lose_a_password(ledger: Ledger) -> None:
    ledger.sign_in("ada")
    ledger.call("forgot_password", "", {"email": MAIL.format("ada")})
    ledger.call("forgot_password", "eve", {"email": MAIL.format("ada")})
    ledger.reset_tokens |= (mailed := mails(ledger, 2))
    for token in mailed:
        for password in ("short", "password", PASSWORD.format("ada")):
            ledger.call("reset_password", "eve", {"token": token, "password": password})


def mails(ledger: Ledger, number: int) -> set[str]:
    """The tokens in so many mails, which are on their way."""
    folder, deadline = ledger.server.log.parent / "mail", time.monotonic() + 60
    found: set[str] = set()
    while len(found) < number and time.monotonic() < deadline:
        time.sleep(0.02)
        for file in folder.glob("*.eml"):
            found |= set(re.findall('"token": "([^"]+)"', file.read_text()))
    return found


def mistype(ledger: Ledger) -> None:
    """Secrets in bodies that are refused, one way or another."""
    for name in PEOPLE:
        if name != "bob":
            ledger.sign_in(name)
    for operation, described in ledger.operations.items():
        if "requestBody" in described and not reads_file(described):
            body = ledger.valid(operation, "root")
            secret = f"{PASSWORD.format('typed')}{operation}"
            ledger.passwords.add(secret)
            spoiled: list[Any] = [secret, [secret], {**body, "pasword": secret}]
            for name in body.keys() & SECRETS:
                odd = [[secret], {secret[:4]: secret}, secret * 9, f"{secret}\0", secret[:3]]
                spoiled += [{**body, name: value} for value in odd]
            for wrong in spoiled:
                ledger.call(operation, "root", wrong)
    for viewer in ("ada", "root"):
        token = ledger.bearer[viewer]
        path = f"/api/v1/posts/?access_token={token}&q={ledger.refresh[viewer]}"
        ledger.call("list_posts", viewer, path=path)
        for header in (f"Basic {token}", f"Bearer {token}x", f"Bearer {token} {token}", token):
            ledger.call("get_me", "", headers={"Authorization": header})
        ledger.call("get_me", viewer, headers={"Cookie": f"token={token}", "X-Token": token})
        ledger.call("refresh", "", {"refresh_token": token})
        ledger.call("login", "", {"login": token, "password": ledger.refresh[viewer]})


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


def test_everything_was_called_by_everybody_and_worked_for_somebody(ledger: Ledger) -> None:
    called = {(answer.operation, answer.viewer) for answer in ledger.answers}
    assert called >= {(operation, who) for operation in ledger.operations for who in VIEWERS}
    worked = {answer.operation for answer in ledger.answers if answer.status < 300}
    assert worked == set(ledger.operations)
    assert {answer.status for answer in ledger.answers if answer.status >= 500} == set()
    assert len(ledger.reset_tokens) == 2
    assert len(ledger.tokens) > 20


def test_no_answer_tells_a_password_or_a_hash(ledger: Ledger) -> None:
    for answer in ledger.answers:
        assert holds(readable(answer.text), [*ledger.passwords, *HASHES, "hashed", SECRET]) == [], (
            answer
        )


def test_tokens_are_answered_only_to_whom_they_are_issued(ledger: Ledger) -> None:
    for answer in ledger.answers:
        told = holds(answer.text.lower(), [*ledger.tokens, *ledger.reset_tokens])
        assert len(told) == (2 if answer.operation in TOKENS and answer.status == 200 else 0), (
            answer
        )


def test_the_secret_of_a_webhook_is_answered_when_it_is_made_and_never_again(
    ledger: Ledger,
) -> None:
    assert len(ledger.webhook_secrets) > 2
    for answer in ledger.answers:
        told = holds(answer.text.lower(), ledger.webhook_secrets)
        assert len(told) == (answer.operation in KEYS and answer.status < 300), answer


def test_nobody_but_superusers_is_told_the_address_of_another(ledger: Ledger) -> None:
    for answer in ledger.answers:
        if answer.viewer != "root":
            known = answer.sent.lower()
            told = holds(readable(answer.text), ledger.emails)
            others = [one for one in told if ledger.emails[one] != answer.viewer]
            assert [one for one in others if one.lower() not in known] == [], answer


def test_the_log_tells_no_secret(ledger: Ledger) -> None:
    logged = ledger.server.log.read_text()
    assert logged.count('"event": "request"') >= len(ledger.answers)
    secrets = [*ledger.passwords, *ledger.tokens, *ledger.reset_tokens, *ledger.emails]
    secrets += ledger.webhook_secrets
    assert holds(readable(logged), [*secrets, *HASHES, SECRET]) == []
    for line in logged.splitlines():
        if line.startswith("{") and (event := json.loads(line))["event"] == "request":
            assert set(event) == LOGGED


def test_a_bug_in_the_log_tells_no_secret(ledger: Ledger) -> None:
    """PostgreSQL shows the whole row that breaks a rule of which we have no sentence."""
    ledger.sign_in("root")
    account = {**ledger.somebody("mallory"), "full_name": "Mal\nlory", "bio": "One\nbio-secret."}
    post = {"title": "Two\ntitle-secret", "content": "Three\n\n[SQL: x]\ncontent-secret"}
    mail = MAIL.format("another-mallory")
    with (
        broken(ledger, "users", "username !~ 'mallory'"),
        broken(ledger, "posts", "title !~ 'Two'"),
    ):
        began = ledger.server.log.stat().st_size
        tries = [
            ledger.call("register", "", account),
            ledger.call("create_user", "root", account),
            ledger.call("create_post", "root", post),
            ledger.call("patch_me", "root", {"username": "mallory", "email": mail}),
        ]
    assert [answer["status"] for answer in tries] == [500, 500, 500, 500]
    logged = ledger.server.log.read_bytes()[began:].decode()
    assert logged.count("CheckViolation") >= 4
    secrets = [*ledger.passwords, *ledger.emails, mail, "bio-secret", "title-secret"]
    secrets += ["content-secret", "lory", "example.org"]
    assert holds(readable(logged), [*secrets, *HASHES, SECRET]) == []
    for answer in ledger.answers[-4:]:
        assert holds(readable(answer.text), ["check", "users", "select", "psycopg", "row"]) == []


@contextmanager
def broken(ledger: Ledger, table: str, rule: str) -> Iterator[None]:
    """A rule of the database that the application has never heard of."""
    url = ledger.server.environment["DATABASE_URL"].replace("+psycopg2", "")
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT unheard_of CHECK ({rule}) NOT VALID")
        yield
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT unheard_of")
