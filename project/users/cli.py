"""flask users: accounts from the command line."""

from __future__ import annotations

import click

from project.commands import Group
from project.db import db, transaction
from project.errors import NotFound
from project.http.body import load
from project.sessions import service as sessions
from project.users import service
from project.users.models import User
from project.users.schemas import LoginName, UserIn, UserPatch, UserQuery

users = Group("users", help="Accounts.")
password_option = click.option("--password", prompt=True, hide_input=True, confirmation_prompt=True)
COLUMNS = "{:>6}  {:<20}  {:<30}  {:<8}  {:<9}  {}"


@users.command()
@click.argument("username", metavar="NAME")
@click.argument("email")
@password_option
@click.option("--superuser", is_flag=True, help="Make it a superuser.")
def create(username: str, email: str, password: str, superuser: bool) -> None:
    """Create an account."""
    given = {"username": username, "email": email, "password": password, "is_superuser": superuser}
    with transaction():
        user = service.create(load(UserIn(), given))
        made = f"Created user {user.username} with id {user.id}."
    click.echo(made)


@users.command("list")
@click.argument("q", metavar="[PART]", default=None, required=False)
@click.option("--inactive", is_flag=True, help="Only deactivated ones.")
@click.option("--superusers", is_flag=True, help="Only superusers.")
def list_users(q: str | None, inactive: bool, superusers: bool) -> None:
    """List accounts, or those with PART in a name or an address."""
    query = load(UserQuery(), {} if q is None else {"q": q})
    found = service.search(**query, is_active=False if inactive else None).order_by(User.id)
    if superusers:
        found = found.where(User.is_superuser)
    rows = db.session.scalars(found.execution_options(yield_per=1000))
    click.echo(COLUMNS.format("id", "user name", "e-mail", "active", "superuser", "since"))
    for user in rows:
        flags = ("yes" if flag else "no" for flag in (user.is_active, user.is_superuser))
        since = f"{user.created_at:%Y-%m-%d}"
        click.echo(COLUMNS.format(user.id, user.username, user.email, *flags, since))


@users.command()
@click.argument("login", metavar="NAME")
def deactivate(login: str) -> None:
    """Deactivate an account and end its sessions."""
    with transaction():
        user = _named(login)
        service.update(user.id, {"is_active": False}, by=None)
        done = f"Deactivated {user.username}."
    click.echo(done)


@users.command()
@click.argument("login", metavar="NAME")
@password_option
def set_password(login: str, password: str) -> None:
    """Give an account a new password and end its sessions."""
    with transaction():
        user = _named(login)
        service.update(user.id, load(UserPatch(), {"password": password}), by=None)
        done = f"Set the password of {user.username}."
    click.echo(done)


@users.group("sessions", cls=Group)
def user_sessions() -> None:
    """Where accounts are signed in."""


@user_sessions.command()
@click.argument("login", metavar="NAME")
def end(login: str) -> None:
    """Sign an account out everywhere."""
    with transaction():
        user = _named(login)
        count = sessions.end_all([user.id])
        done = f"Ended {count} {'session' if count == 1 else 'sessions'} of {user.username}."
    click.echo(done)


def _named(login: str) -> User:
    """The user of this name or e-mail address."""
    user = service.by_login(load(LoginName(), {"name": login})["name"])
    if user is None:
        raise NotFound(f"There is no user {login!r}.")
    return user
