"""How often somebody may: one limit over all workers and machines, counted in the database."""

from __future__ import annotations

import time
from hashlib import sha256
from math import ceil

from flask import Flask, current_app, g
from limits import parse
from limits.strategies import FixedWindowRateLimiter

from project import origin
from project.errors import TooMany
from project.http.guards import caller
from project.http.limits.addresses import address, network
from project.http.limits.storage import PostgresStorage

__all__ = ["address", "count", "count_request", "example", "hashed", "init_app", "network"]

WHAT = {  # each is the name of a setting, RATELIMIT_…
    "login": "tries of this account's password",
    "login_address": "tries to sign in from this address",
    "reset": "password resets of this account",
    "user": "requests of this user",
    "anonymous": "requests from this address without signing in",
}


class Limits:
    """The limits of one application; where they are disabled, nobody counts."""

    def __init__(self, app: Flask) -> None:
        self.items = {name: parse(app.config[f"RATELIMIT_{name.upper()}"]) for name in WHAT}
        self.counter: FixedWindowRateLimiter | None = None
        if app.config["RATELIMIT_ENABLED"]:
            cluster = app.extensions["embedded"]
            url = app.config["SQLALCHEMY_DATABASE_URI"]
            storage = PostgresStorage(url, cluster and cluster.ensure)
            self.counter = FixedWindowRateLimiter(storage)

    def count(self, name: str, key: str) -> None:
        item = self.items[name]
        if self.counter is None or self.counter.hit(item, name, key):
            return
        until = self.counter.storage.get_expiry(item.key_for(name, key))
        raise self.refusal(name, max(1, ceil(until - time.time())))

    def refusal(self, name: str, retry_after: int) -> TooMany:
        item = self.items[name]
        return TooMany(WHAT[name], name, item.amount, item.get_expiry(), retry_after)


def init_app(app: Flask) -> None:
    """Read the limits, and make ready to count."""
    app.extensions["limits"] = Limits(app)


def count(name: str, key: str) -> None:
    """Count one of what is limited under this name for whoever has this key; raises TooMany.

    What a caller typed is no key: see `hashed`. A request whose transaction is tried again is not
    counted again.
    """
    counted = g.setdefault("counted", set())
    if (name, key) not in counted:
        counted.add((name, key))
        current_app.extensions["limits"].count(name, key)


def count_request() -> None:
    """Count the request under way: for its user, or without one for its address."""
    if current_app.extensions["limits"].counter is None:
        return
    origin.confirm()  # whom no session has any more uses up nobody's limit
    user_id = caller()
    count(*("anonymous", network()) if user_id is None else ("user", str(user_id)))


def example(app: Flask, name: str) -> TooMany:
    """A refusal as this application answers it, for its documentation."""
    kept: Limits = app.extensions["limits"]
    return kept.refusal(name, max(1, kept.items[name].get_expiry() // 2))


def hashed(typed: object) -> str:
    """A key of what a caller typed, in any case: its length is ours, and nobody can read it."""
    return sha256(str(typed).lower().encode()).hexdigest()
