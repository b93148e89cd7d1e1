"""A small world to try one's rights in: people, what is theirs, and a valid call of everything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from werkzeug.test import TestResponse

from project import origin
from project.auth import tokens
from project.db import db
from project.http.app import App
from project.jobs import enqueue
from project.products.stock import service as stock
from project.reservations import service as reservations
from project.sessions.models import Session
from project.users.models import User
from project.webhooks import deliveries
from tests.house.rooms import HAND, ROOMS
from tests.house.test_answers import accepted
from tests.house.test_openapi import Operation, resolved
from tests.jobs import laboratory
from tests.posts.make import make_post
from tests.products.make import make_product
from tests.sessions.make import begin
from tests.tables import digests
from tests.users.make import PASSWORD, begun, make_user
from tests.webhooks.make import make_webhook

WHO = ["anonymous", "user", "owner", "inactive", "former superuser", "superuser"]
KINDS = {"post": "published"}
Call = dict[str, Any]


class World:
    """Whom every address with an id is about is the `owner`; what is tried leaves no trace."""

    def __init__(self, app: App) -> None:
        self.app, self.client = app, app.test_client(use_cookies=False)
        self.operations = documented(app)
        self.users: dict[str, int] = {}
        self.sessions: dict[str, int] = {}
        self.tokens: dict[str, str] = {}
        self.refresh_tokens: dict[str, str] = {}
        with app.app_context():
            for who in WHO[1:]:
                self._settle(who)
            self._own(db.session.get_one(User, self.users["owner"]))
            db.session.get_one(User, self.users["inactive"]).is_active = False
            db.session.get_one(User, self.users["former superuser"]).is_superuser = False
            db.session.commit()
            self.connection: Any = db.engines[None]

    def _settle(self, who: str) -> None:
        name = who.replace(" ", "-")
        session, refresh_token = begin(make_user(username=name, is_superuser="superuser" in who))
        pair = tokens.issue(session, refresh_token)
        self.users[who], self.sessions[who] = session.user_id, session.id
        self.tokens[who], self.refresh_tokens[who] = pair["access_token"], refresh_token

    def _own(self, owner: User) -> None:
        origin.act(owner.id, owner.username)
        self.things = {
            "user": owner.id,
            "session": self.sessions["owner"],
            "job": enqueue(laboratory.TELL, told="something").id,
        }
        product = make_product(stock=12)
        lines = [{"product_id": product.id, "quantity": 1}]
        self.things |= {"product": product.id, "movement": stock.move(lines).id}
        self.things |= {"reservation": reservations.create(lines, 900).id}
        self.things |= {"draft": make_post(author=owner, title="A draft").id}
        self.things |= {"published": make_post(author=owner, is_published=True).id}
        webhook = make_webhook()
        self.things |= {"webhook": webhook.id, "delivery": deliveries.test(webhook.id).id}
        for table, room in ROOMS.items():
            whose = {"owner_id": owner.id} if room.owned else {}
            self.things[table] = room.make(**whose).id
        self.reset_token = begun(owner.email)

    def headers(self, who: str) -> dict[str, str]:
        """Authorization, for whoever has some."""
        return {"Authorization": f"Bearer {self.tokens[who]}"} if who in self.tokens else {}

    def session(self, who: str) -> Session:
        """For forging tokens of it."""
        return Session(id=self.sessions[who], user_id=self.users[who])

    def path(self, operation: str, thing: str = "") -> str:
        """Where to call it: about a thing of the owner's."""
        path = str(self.operations[operation]["path"])
        if "{id}" not in path:
            return path
        segment = path.partition("/{id}")[0].rpartition("/")[2]
        table = segment.replace("-", "_")
        kind = table if table in ROOMS else segment.removesuffix("s")
        path = re.sub(r"\{(\w+)_id\}", lambda other: str(self.things[other[1]]), path)
        return path.replace("{id}", str(self.things[thing or KINDS.get(kind, kind)]))

    def method(self, operation: str) -> str:
        return str(self.operations[operation]["method"]).upper()

    def success(self, operation: str) -> int:
        """The status of what worked."""
        return min(map(int, self.operations[operation]["responses"]))

    def valid(self, operation: str) -> Call:
        """The operation's own example, made to fit."""
        fitting: dict[str, dict[str, Any]] = {
            "login": {"login": "owner", "password": PASSWORD},
            "refresh": {"refresh_token": self.refresh_tokens["owner"]},
            "reset_password": {"token": self.reset_token},
            "set_status": {"ids": [self.users["owner"]]},
            "create_movement": {"expected_stock": 13},
            "create_movements": {
                "movements": [{"product_id": self.things["product"], "quantity": -2}]
            },
            "count_stock": {"counted": 13},
            "create_reservation": {
                "lines": [{"product_id": self.things["product"], "quantity": 2}]
            },
        }
        for room in ROOMS.values():
            existing = {name: self.known(table) for name, table in room.refs.items()}
            fitting |= dict.fromkeys(room.writing, existing)
        call = accepted(self.operations[operation])
        if operation == "import_products":
            call["query_string"] = {"dry_run": "true"}
        if "json" in call:
            call["json"].update(fitting.get(operation, {}))
        return call

    def known(self, table: str) -> int:
        """The id of a row of this table."""
        return self.things[HAND.get(table, table)]

    def call(self, operation: str, who: str = "superuser", **changes: Any) -> TestResponse:
        """A valid call of it, but for what is said otherwise."""
        call: Call = {"path": self.path(operation), "method": self.method(operation)}
        valid = self.valid(operation)
        if "json" in changes:
            valid.pop("data", None)
        call |= {"headers": self.headers(who), **valid, **changes}
        return self.client.open(**call, buffered=True)  # a file that nobody reads would stay open

    @contextmanager
    def forgotten(self) -> Iterator[None]:
        """What happens inside has not happened afterwards."""
        with self.connection.begin_nested() as savepoint:
            yield
            savepoint.rollback()

    def state(self) -> dict[str, str]:
        """Every table as one digest."""
        return digests(self.connection)


@cache
def documented(app: App) -> dict[str, Operation]:
    """Every operation of the document by its id, with its address and its method."""
    return by_id(app.test_client().get("/api/v1/openapi.json").json)


def by_id(document: Any) -> dict[str, Operation]:
    """The operations of a document, with references followed."""
    return {
        operation["operationId"]: {**resolved(operation, document), "path": path, "method": method}
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }


def guarded(operations: dict[str, Operation]) -> list[str]:
    """The operations that ask for an access token, or look at it when there is one."""
    return [
        name
        for name, operation in operations.items()
        if any("bearer" in way for way in operation["security"])
    ]
