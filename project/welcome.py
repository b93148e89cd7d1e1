"""flask welcome: what somebody who has just started the service wants to know."""

from __future__ import annotations

import secrets
import socket

import click
from flask import current_app
from flask.cli import with_appcontext

from config import TITLE
from project.commands import one_sentence
from project.db import transaction
from project.users import service as users

STARTED = f"{TITLE} serves {{url}}, its documentation is at {{url}}/docs"

FIRST = """
This is the first start: there is a superuser now, and this is the only time you see its password.

    user name  admin
    password   {password}

Sign in:

TOKEN=$(curl -s {url}/api/v1/auth/login -H 'Content-Type: application/json' -d '{{"login": "admin", "password": "{password}"}}' | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
"""  # noqa: E501 - because a line to copy is one line
TRY = {  # what to do with the token
    "Look at your account": """curl -s {url}/api/v1/users/me -H "Authorization: Bearer $TOKEN"
""",
    "Create a product": """curl -s {url}/api/v1/products/ -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{{"name": "Desk lamp", "price": "29.90", "stock": 12}}'
""",  # noqa: E501 - the same
}


@click.command()
@with_appcontext
def welcome() -> None:
    """Say where the service is; on the very first start make a superuser."""
    port = current_app.config["PORT"]
    url = f"http://127.0.0.1:{port}"
    if _in_use(port):
        raise click.ClickException(f"PORT {port} is in use; try make run PORT={port + 1}.")
    with one_sentence():
        password = _first_superuser()
    click.echo(STARTED.format(url=url))
    if password is not None:
        click.echo(FIRST.format(url=url, password=password))
        for what, line in TRY.items():
            click.echo(f"{what}:\n\n{line.format(url=url)}")


def _in_use(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn will
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _first_superuser() -> str | None:
    """The password of the superuser made just now, if there was nobody before."""
    with transaction():
        if users.any_exist():
            return None
        password = secrets.token_urlsafe(12)
        values = {"username": "admin", "email": "admin@example.com", "is_superuser": True}
        users.create({**values, "password": password})
    return password
