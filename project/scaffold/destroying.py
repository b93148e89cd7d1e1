"""`flask destroy resource`: a room goes as it came, and a migration drops its table."""

from __future__ import annotations

import re
from collections.abc import Iterator

from project.db import db
from project.errors import Refused
from project.scaffold import making, migration, registry
from project.scaffold.house import House
from project.scaffold.making import SHARED, Wanted
from project.scaffold.names import Names, names
from project.scaffold.rendering import places, render
from project.scaffold.resource import Resource
from project.scaffold.writing import Plan


def plan(one: str, house: House) -> Plan:
    """The files that go, and what is written instead; raises Refused where something is lost."""
    resource = making.read(_wanted(one, house), house)
    called = resource.names
    _judge_files(resource, house)
    _judge_others(called, house)
    for shared in SHARED:
        making.judge_shared(shared, house)
    if called.many not in db.metadata.tables:
        raise Refused(f"There is no table {called.many} among the models; take it away by hand.")
    files: dict[str, str | None] = {
        place: None for place in places(called.many) if (house.root / place).exists()
    }
    for shared in SHARED:
        files[shared] = registry.unregister(shared, house.read(shared), called)
    before = house.last_migration()
    searched = [field.column for field in resource.searched]
    dropped = migration.drop(db.metadata.tables[called.many], searched, before)
    return {**files, migration.place(before, f"drop_{called.many}"): dropped}


def _wanted(one: str, house: House) -> Wanted:
    """What the command asked for that wrote the resource."""
    names(one)
    for many in house.written:
        command = house.command(many)
        if command and command[0] == one:
            return Wanted.said(command)
    by_hand = {called: many for many, called in house.rooms.items()}
    if one in by_hand:
        room = f"project/{by_hand[one]}"
        raise Refused(f"{room} was not written by flask new resource; take it away by hand.")
    known = ", ".join(str((house.command(many) or [""])[0]) for many in house.written) or "none"
    raise Refused(f"There is no resource '{one}' that flask new resource wrote; there are {known}.")


def _judge_files(resource: Resource, house: House) -> None:
    """Raise Refused for a file that is not of the command, or that would be lost."""
    many = resource.names.many
    known, rendered = places(many), None
    for top in ("project", "tests"):
        for path in sorted((house.root / top / many).rglob("*")):
            place = path.relative_to(house.root).as_posix()
            if "__pycache__" in place or path.is_dir():
                continue
            if place not in known:
                raise Refused(f"{place} was not written by flask new resource; delete it first.")
            if house.committed(place) == house.read(place):
                continue
            rendered = render(resource) if rendered is None else rendered
            if rendered[place] != house.read(place):
                raise Refused(f"{place} has changes that are not committed; commit them first.")


def _judge_others(called: Names, house: House) -> None:
    """Raise Refused where others depend on the room, or it is registered in another way."""
    contents = house.read(registry.FEATURES)
    for line in (registry.imported(called), registry.entry(called)):
        if f"{line}\n" not in contents:
            raise Refused(
                f"{registry.FEATURES} does not have the line '{line.strip()}' of {called.many}; "
                "mend it, or take the room away by hand."
            )
    for place, line in _depending(called, house):
        raise Refused(f"{place} depends on {called.plural} ({line}); change or destroy that first.")


def _depending(called: Names, house: House) -> Iterator[tuple[str, str]]:
    """Lines outside the room that say its name."""
    name = re.compile(
        rf'^.*(?:\b(?:project|tests)\.{called.many}\b|"{called.many}\.).*$', re.MULTILINE
    )
    for top in ("project", "tests"):
        for path in sorted((house.root / top).rglob("*.py")):
            place = path.relative_to(house.root)
            if place.parts[1] == called.many:
                continue
            for line in name.findall(path.read_text()):
                if (place.as_posix(), line) != (registry.FEATURES, registry.imported(called)):
                    yield place.as_posix(), line.strip()
