"""flask new, flask destroy: projects and resources."""

from __future__ import annotations

import json

import click

from config import ROOT
from project.commands import Group
from project.scaffold import destroying, making, writing
from project.scaffold.house import House
from project.scaffold.making import Wanted
from project.scaffold.projects.command import project
from project.scaffold.resource import Resource

NEXT = """
Go on:
    .venv/bin/flask db upgrade    # make run does so too
    .venv/bin/python -m pytest tests/{many}
    {call}"""

CALL = (
    'curl -s http://127.0.0.1:8000{address}/ -H "Authorization: Bearer $TOKEN" '
    "-H 'Content-Type: application/json' -d '{body}'"
)

new = Group("new", help="Begin something new.")
destroy = Group("destroy", help="Take away what flask new wrote.")
new.add_command(project)
dry = click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")


@new.command("resource")
@click.argument("one", metavar="NAME")
@click.argument("fields", nargs=-1, required=True, metavar="FIELD:TYPE…")
@click.option("--plural", metavar="NAMES", help="Many of them, if not by the rules of English.")
@click.option("--soft-delete", is_flag=True, help="Deleting makes inactive, and can be undone.")
@click.option("--owned", is_flag=True, help="Only who made one, and superusers, change it.")
@click.option("--public-read", is_flag=True, help="Anybody may read, not signed in or not.")
@dry
def new_resource(dry_run: bool, **wanted: object) -> None:
    """Write a resource: models, schemas, service, routes, tests, migration.

    NAME is one of them, as supplier or purchase_order. A field is
    NAME:TYPE[:MODIFIER…][?][=DEFAULT]:

    \b
    name:text:unique:255   credit:money:0..500   since:date?   notes:text:2000?
    rating:integer:0..5=3  weight:decimal(10,3)  status:enum(draft|open)=draft
    order:ref              seller:ref(users)?    index for what is sorted by

    \b
    Types: text email slug url integer bigint money decimal boolean date
    datetime uuid json enum ref. A ? at the end: it may be missing.
    """
    house = House(ROOT)
    resource = making.read(Wanted(**wanted), house)  # type: ignore[arg-type]  # as click hands them
    if _carried_out(making.plan(resource, house), dry_run):
        call = CALL.format(address=resource.names.address, body=_example(resource))
        click.echo(NEXT.format(many=resource.names.many, call=call))


@destroy.command("resource")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@dry
def destroy_resource(name: str, yes: bool, dry_run: bool) -> None:
    """Take away a resource that flask new resource wrote; a migration drops its table."""
    plan = destroying.plan(name, House(ROOT))
    if not (yes or dry_run):
        click.confirm(
            f"Delete the code of {name}, and with the next migration its rows?", abort=True
        )
    if _carried_out(plan, dry_run):
        click.echo("\nGo on:\n    .venv/bin/flask db upgrade    # drops the table")


def _carried_out(plan: writing.Plan, dry_run: bool) -> bool:
    """Whether the plan was carried out, and not only shown."""
    if dry_run:
        click.echo("".join(writing.diff(ROOT, plan)))
        click.echo("Nothing was written: this was a dry run.")
        return False
    said = {name: _done(name, text) for name, text in plan.items()}
    writing.carry_out(ROOT, plan)
    for name, done in said.items():
        click.echo(f"{done:<8} {name}")
    return True


def _done(name: str, text: str | None) -> str:
    if text is None:
        return "deleted"
    return "changed" if (ROOT / name).exists() else "wrote"


def _example(resource: Resource) -> str:
    """A body with what is needed."""
    return json.dumps({field.column: field.example for field in resource.required})
