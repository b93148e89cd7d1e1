"""The grammar of fields: NAME:TYPE[:unique][:index][:LENGTH or LOW..HIGH][?][=DEFAULT].

name:text:unique:255   rating:integer:0..5=3   since:date?   status:enum(draft|open)=draft
weight:decimal(10,3)   order:ref               seller:ref(users)?
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import marshmallow as ma
from sqlalchemy.dialects.postgresql.base import RESERVED_WORDS

from project.db import Item
from project.errors import Refused
from project.http import pages
from project.scaffold import kinds, modifiers
from project.scaffold.kinds import Field
from project.scaffold.names import plural, shown

LONGEST = 40
NAME = re.compile("[a-z][a-z0-9]*(_[a-z0-9]+)*")
WORD = re.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,49}")
TAKEN = {
    "what every row has": {"id", "version", "created_at", "updated_at", "tag"},
    "a word of Python": {*keyword.kwlist, "self"},
    "a word of SQL": RESERVED_WORDS,
    "a parameter of every list": {"q", *pages.PARAMETERS},
    "used by SQLAlchemy": {name for name in dir(Item) if not name.startswith("_")},
    "used by marshmallow": {*dir(ma.Schema), *vars(ma.Schema())},
    "no secret, since a resource is answered whole": {"password", "hashed_password"},
}
Find = Callable[[str], tuple[str, str, str]]  # of a room: what it, and its table, is called


def parse(spec: str, find: Find) -> Field:
    """The field that is spelled so; raises Refused."""
    said = f"'{shown(spec)}'"
    name, colon, rest = spec.partition(":")
    rest, equals, default = rest.partition("=")
    head, *given = rest.removesuffix("?").split(":")
    typed = re.fullmatch(r"([a-z]+)(?:\(([^()]*)\))?", head)
    if not (NAME.fullmatch(name) and colon and typed):
        raise Refused(
            f"{said} is no field: write NAME:TYPE, such as name:text:unique:255, price:money? or "
            "status:enum(draft|open)=draft; names consist of a-z, 0-9 and _."
        )
    if len(name) > LONGEST:
        raise Refused(f"{said}: a name has at most {LONGEST} letters, this one {len(name)}.")
    kind, inner = typed.groups()
    if kind not in TYPES:
        raise Refused(f"{name}: there is no type '{shown(kind)}'; there are {', '.join(TYPES)}.")
    if inner is not None and kind not in WITH_WORDS:
        raise Refused(f"{name}: {kind} takes nothing in brackets, but {', '.join(WITH_WORDS)} do.")
    field = TYPES[kind](name, inner, find)
    field = replace(field, nullable=rest.endswith("?"))
    for why, names in TAKEN.items():
        if field.column in names:
            raise Refused(f"'{field.column}' cannot name a field: it is {why}; choose another.")
    for modifier in given:
        field = modifiers.modified(field, kind, modifier)
    field = modifiers.bounded(field)
    modifiers.judge(field)
    return modifiers.with_default(field, kind, default) if equals else field


def _plain(kind: type[Field]) -> Any:
    def make(name: str, inner: str | None, find: Find) -> Field:
        return kind(name=name)

    return make


def _decimal(name: str, inner: str | None, find: Find) -> Field:
    if inner is None:
        return kinds.Decimals(name=name)
    size = re.fullmatch("([0-9]{1,3}), ?([0-9]{1,3})", inner)
    if size is None or not 1 <= int(size[2]) < int(size[1]) <= 15:
        raise Refused(
            f"{name}: write decimal(10,3) for ten digits, three of them behind the point; "
            "fifteen digits at most, one of them at least on each side."
        )
    return kinds.Decimals(name=name, digits=int(size[1]), places=int(size[2]))


def _enum(name: str, inner: str | None, find: Find) -> Field:
    words = tuple((inner or "").split("|"))
    if not all(map(WORD.fullmatch, words)) or not 2 <= len(set(words)) == len(words) <= 50:
        raise Refused(
            f"{name}: write enum(draft|open) with two to fifty different words of letters a-z, "
            "digits, - and _."
        )
    return kinds.Enum(name=name, choices=words, constant=plural(name).upper())


def _ref(name: str, inner: str | None, find: Find) -> Field:
    target, table, words = find(name if inner is None else inner)
    return kinds.Ref(name=name, target=target, table=table, words_of_target=words)


TYPES: dict[str, Callable[[str, str | None, Find], Field]] = {
    "text": _plain(kinds.Text),
    "email": _plain(kinds.Email),
    "slug": _plain(kinds.Slug),
    "url": _plain(kinds.Url),
    "integer": _plain(kinds.Integer),
    "bigint": _plain(kinds.Bigint),
    "money": _plain(kinds.Money),
    "decimal": _decimal,
    "boolean": _plain(kinds.Boolean),
    "date": _plain(kinds.Date),
    "datetime": _plain(kinds.Datetime),
    "uuid": _plain(kinds.Uuid),
    "json": _plain(kinds.Json),
    "enum": _enum,
    "ref": _ref,
}
WITH_WORDS = {"decimal": "decimal(10,3)", "enum": "enum(draft|open)", "ref": "ref(users)"}
