"""The table of contents: one line per room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import click

from project import sweeping
from project.auth import routes as auth
from project.auth import tasks as auth_tasks
from project.auth import tokens
from project.backup import cli as backup
from project.doctor import doctor
from project.embedded import cli as embedded
from project.events import routes as events
from project.events import tasks as events_tasks
from project.health import routes as health
from project.http.app import App
from project.http.blueprint import Blueprint
from project.http.idempotency import cli as idempotency
from project.jobs import cli as jobs_cli
from project.jobs import gauges as jobs_gauges
from project.jobs import routes as jobs
from project.jobs import tasks as jobs_tasks
from project.mail import tasks as mail_tasks
from project.metrics import gauges as metrics_gauges
from project.metrics import routes as metrics
from project.posts import routes as posts
from project.products import cli as products_cli
from project.products import routes as products
from project.products import tasks as products_tasks
from project.products.stock import cli as stock_cli
from project.products.stock import routes as stock
from project.profiles import routes as profiles
from project.reservations import routes as reservations
from project.scaffold import cli as scaffold
from project.sessions import routes as sessions
from project.uploads import tasks as uploads_tasks
from project.users import cli as users_cli
from project.users import routes as users
from project.users import tasks as users_tasks
from project.webhooks import gauges as webhooks_gauges
from project.webhooks import routes as webhooks
from project.webhooks import tasks as webhooks_tasks
from project.welcome import welcome


@dataclass(frozen=True)
class Room:
    """What a room adds to the application: addresses, commands, what it must set up first, and
    tasks and gauges, which are known to workers and to /metrics once their module is loaded.
    """

    blueprint: Blueprint | None = None
    at: str = ""
    commands: click.Command | None = None
    setup: Callable[[App], None] | None = None
    tasks: ModuleType | None = None
    gauges: ModuleType | None = None


ROOMS = (
    Room(health.blp),
    Room(metrics.blp, gauges=metrics_gauges),
    Room(auth.blp, "/api/v1/auth", setup=tokens.init_app, tasks=auth_tasks),
    Room(sessions.blp, "/api/v1/auth/sessions"),
    Room(users.blp, "/api/v1/users", users_cli.users, tasks=users_tasks),
    Room(products.blp, "/api/v1/products", products_cli.products, tasks=products_tasks),
    Room(stock.blp, "/api/v1", stock_cli.stock),
    Room(reservations.blp, "/api/v1/stock/reservations"),
    Room(posts.blp, "/api/v1/posts"),
    Room(profiles.blp, "/api/v1/users"),
    Room(events.blp, "/api/v1/events", tasks=events_tasks),
    Room(webhooks.blp, "/api/v1/webhooks", tasks=webhooks_tasks, gauges=webhooks_gauges),
    Room(jobs.blp, "/api/v1/jobs", jobs_cli.jobs, tasks=jobs_tasks, gauges=jobs_gauges),
    Room(commands=jobs_cli.worker),
    Room(tasks=uploads_tasks),
    Room(commands=idempotency.idempotency),
    Room(tasks=mail_tasks),
    Room(tasks=sweeping),
    Room(commands=embedded.pg),
    Room(commands=backup.backup),
    Room(commands=backup.restore),
    Room(commands=scaffold.new),
    Room(commands=scaffold.destroy),
    Room(commands=doctor),
    Room(commands=welcome),
)
