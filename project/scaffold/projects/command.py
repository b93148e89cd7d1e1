"""`flask new project`: what may be asked, and what is said of it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from unicodedata import normalize

import click

from config import ROOT, TITLE
from project.commands import one_sentence
from project.errors import Refused
from project.scaffold.projects import copying, rooms

LONGEST = 40  # characters of a title
TAKEN = {"postgres", "public", "none", "project", "tests", "config", "migrations"}


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--name", "title", required=True, help='What it is called, such as "Shop".')
@click.option("--without", default="", help="Rooms to leave out, separated by commas.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def project(directory: Path, title: str, without: str, dry_run: bool) -> None:
    """Begin a project: this one under another title, without some of its rooms."""
    with one_sentence():
        title, name = _called(title)
        place = _empty(directory)
        asked = _rooms(without)
        along = rooms.needing(ROOT / "project", asked)
        leaving = {*asked, *along}
        _refuse_half(leaving)
        files = copying.tracked()
        if not Path(sys.executable).with_name("ruff").exists():
            raise Refused("The copy is tidied by the development tools: run make lint once.")
        for room, needed in sorted(along.items()):
            click.echo(f"{room} is left out too, since it needs {' and '.join(sorted(needed))}.")
        kept = [room for room in rooms.optional(ROOT / "project") if room not in leaving]
        if dry_run:
            click.echo(f"Would write {title} to {place}, with {_listed(kept)}; nothing is written.")
            return
        copying.copy(files, place, title, name, leaving)
    click.echo(f"{title} is in {place}, with {_listed(kept)} of {len(files)} files here.")
    click.echo(f"Next: cd {place} && make run, or make test.")


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none of the rooms that may be left out"


def _called(title: str) -> tuple[str, str]:
    """The title, and what programs call it; raises Refused."""
    plain = normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    if not re.fullmatch(r"[^\W_]([\w .&-]*[^\W_])?", title) or not title.isprintable():
        raise Refused(
            "--name must be letters and digits, with blanks, '.', '&' and '-' between them."
        )
    if len(title) > LONGEST:
        raise Refused(f"--name must be at most {LONGEST} characters long.")
    if not re.match("[a-z]", name) or name in TAKEN or name.startswith("pg_"):
        raise Refused(
            f"--name must begin with a letter that has a form from a to z, and not be {title!r}: "
            "the database gets its name from it."
        )
    if title == TITLE:
        raise Refused(f"--name must be another than {TITLE}.")
    return title, name


def _empty(directory: Path) -> Path:
    """Where nothing is yet, but can be; raises Refused."""
    place = directory.expanduser().absolute()
    place = place.parent.resolve() / place.name
    if place == ROOT or ROOT in place.parents:
        raise Refused(f"{directory} is inside this project: name a folder outside of it.")
    if not re.fullmatch(r"[\w.-]+", place.name) or place.name in (".", ".."):
        raise Refused(f"{str(directory)!r} is no name for a folder: use letters, digits, '-', '_'.")
    try:
        if place.is_symlink() or (place.exists() and (not place.is_dir() or any(place.iterdir()))):
            raise Refused(f"{directory} is there and not an empty folder: name another one.")
        if not place.parent.is_dir():
            raise Refused(f"{place.parent} is not there: make it first.")
    except OSError as error:
        raise Refused(f"{directory} cannot be looked at: {error.strerror}.") from None
    if not os.access(place.parent, os.W_OK | os.X_OK):
        raise Refused(f"{place.parent} cannot be written to: name another folder.")
    return place


def _rooms(without: str) -> list[str]:
    """The rooms that are named; raises Refused."""
    asked = [word.strip() for word in without.split(",") if word.strip()]
    there = rooms.optional(ROOT / "project")
    for room in asked:
        if asked.count(room) > 1:
            raise Refused(f"--without names {room} twice.")
        if room in rooms.BASICS:
            raise Refused(f"--without cannot name {room}: every project stands on it.")
        if room not in there:
            raise Refused(
                f"--without names {room!r}, which is no room: there are {_listed(there)}."
            )
    return asked


def _refuse_half(leaving: set[str]) -> None:
    """A table that another one refers to cannot go alone."""
    for stays, gone in sorted(rooms.referring(ROOT / "project", leaving).items()):
        raise Refused(
            f"--without cannot name {gone} alone, since tables of {stays} refer to its own: "
            f"leave out {stays} too."
        )
