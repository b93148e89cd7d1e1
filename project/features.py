"""The table of contents: one line per room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import click

from project.auth import routes as auth
from project.auth import tokens
from project.embedded import cli as embedded
from project.health import routes as health
from project.http.app import App
from project.http.blueprint import Blueprint
from project.http.idempotency import cli as idempotency
from project.posts import routes as posts
from project.products import cli as products_cli
from project.products import routes as products
from project.products.stock import cli as stock_cli
from project.products.stock import routes as stock
from project.profiles import routes as profiles
from project.sessions import routes as sessions
from project.users import cli as users_cli
from project.users import routes as users
from project.welcome import welcome


@dataclass(frozen=True)
class Room:
    """What a room adds to the application: addresses, commands, and what it must set up first."""

    blueprint: Blueprint | None = None
    at: str = ""
    commands: click.Command | None = None
    setup: Callable[[App], None] | None = None


ROOMS = (
    Room(health.blp),
    Room(auth.blp, "/api/v1/auth", setup=tokens.init_app),
    Room(sessions.blp, "/api/v1/auth/sessions"),
    Room(users.blp, "/api/v1/users", users_cli.users),
    Room(products.blp, "/api/v1/products", products_cli.products),
    Room(stock.blp, "/api/v1", stock_cli.stock),
    Room(posts.blp, "/api/v1/posts"),
    Room(profiles.blp, "/api/v1/users"),
    Room(commands=idempotency.idempotency),
    Room(commands=embedded.pg),
    Room(commands=welcome),
)
