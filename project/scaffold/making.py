"""`flask new resource`: everything that belongs to a room, or nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from project.errors import Refused
from project.scaffold import migration, registry
from project.scaffold.fields import parse
from project.scaffold.house import House
from project.scaffold.names import Names, names
from project.scaffold.rendering import render
from project.scaffold.resource import Resource

FLAGS = ("soft-delete", "owned", "public-read")
ROOM = re.compile(r"^from project\.(\w+) import routes as \1$", re.MULTILINE)
SHARED = (registry.FEATURES, registry.CONTRACTS)


@dataclass(frozen=True)
class Wanted:
    """What was asked for, as it was said."""

    one: str
    fields: tuple[str, ...]
    plural: str | None = None
    soft_delete: bool = False
    owned: bool = False
    public_read: bool = False

    @property
    def spec(self) -> tuple[str, ...]:
        """The words of the command."""
        given = (self.soft_delete, self.owned, self.public_read)
        flags = [f"--{flag}" for flag, asked in zip(FLAGS, given, strict=True) if asked]
        called = [] if self.plural is None else ["--plural", self.plural]
        return (self.one, *self.fields, *called, *flags)

    @classmethod
    def said(cls, spec: Sequence[str]) -> Wanted:
        """The same, of the words of the command."""
        one, *words = spec
        flags = [word.removeprefix("--").replace("-", "_") for word in words if word[2:] in FLAGS]
        plural = words[words.index("--plural") + 1] if "--plural" in words else None
        fields = tuple(word for word in words if ":" in word)
        return cls(one, fields, plural, **dict.fromkeys(flags, True))


def read(wanted: Wanted, house: House) -> Resource:
    """The resource that is wanted; raises Refused for what cannot be one."""
    called = names(wanted.one, wanted.plural)

    def find(room: str) -> tuple[str, str, str]:
        if room in (called.one, called.many):
            return called.one, called.many, called.words
        return house.find(room)

    fields = tuple(parse(spec, find) for spec in wanted.fields)
    resource = Resource(
        called,
        fields,
        soft=wanted.soft_delete,
        owned=wanted.owned,
        public=wanted.public_read,
        spec=wanted.spec,
    )
    for field in resource.needed:
        if field.table == called.many:
            raise Refused(
                f"{field.name}: the first {called.words} could refer to none; make it {field.name}"
                f":ref({called.one})?"
            )
    return resource


def plan(resource: Resource, house: House) -> dict[str, str]:
    """The files to be written; raises Refused where something is in the way."""
    house.judge(resource.names)
    files = render(resource)
    searched = [field.column for field in resource.searched]
    before = house.last_migration()
    made = migration.create(migration.table(resource), searched, before)
    files[migration.place(before, resource.names.many)] = made
    for shared in SHARED:
        judge_shared(shared, house)
        files[shared] = registry.register(shared, house.read(shared), resource.names)
    return files


def judge_shared(shared: str, house: House) -> None:
    """Raise Refused where the file has changes that are not committed, but for rooms in it."""
    committed, found = house.committed(shared), house.read(shared)
    if committed is None:
        return
    told = f"{house.committed(registry.FEATURES)}\n{house.read(registry.FEATURES)}"
    for many in filter(house.knows, sorted({*ROOM.findall(told)})):
        committed = registry.unregister(shared, committed, Names(many, many))
        found = registry.unregister(shared, found, Names(many, many))
    if committed != found:
        raise Refused(f"{shared} has changes that are not committed; commit them, or undo them.")
