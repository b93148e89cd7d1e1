"""flask users: accounts from the command line."""

from __future__ import annotations

import click

from project.commands import Group
from project.db import transaction
from project.http.body import load
from project.users import service
from project.users.schemas import UserIn

users = Group("users", help="Accounts.")


@users.command()
@click.argument("username", metavar="NAME")
@click.argument("email")
@click.option("--password", prompt=True, hide_input=True, confirmation_prompt=True)
@click.option("--superuser", is_flag=True, help="Make it a superuser.")
def create(username: str, email: str, password: str, superuser: bool) -> None:
    """Create an account."""
    given = {"username": username, "email": email, "password": password, "is_superuser": superuser}
    with transaction():
        user = service.create(load(UserIn(), given))
        made = f"Created user {user.username} with id {user.id}."
    click.echo(made)
