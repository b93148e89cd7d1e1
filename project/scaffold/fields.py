"""The grammar of fields: NAME:TYPE[:unique][:index][:LENGTH or LOW..HIGH][?][=DEFAULT].

name:text:unique:255   rating:integer:0..5=3   since:date?   status:enum(draft|open)=draft
weight:decimal(10,3)   order:ref               seller:ref(users)?
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import marshmallow as ma
from sqlalchemy.dialects.postgresql.base import RESERVED_WORDS

from project import db
from project.db import Item
from project.errors import Invalid, Refused
from project.http import fields, pages
from project.http.body import load
from project.http.schemas import Query
from project.scaffold import kinds
from project.scaffold.kinds import Field
from project.scaffold.names import plural, shown

LONGEST = 40
LINKED = 500  # letters of a text that an index can hold
MANY = 1_000_000  # values that a unique field needs room for
NAME = re.compile("[a-z][a-z0-9]*(_[a-z0-9]+)*")
WORD = re.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,49}")
BOUND = r"-?[0-9]{1,20}(?:\.[0-9]{1,10})?"
DEFAULT = re.compile(r"[ !#-\[\]-~]{1,40}")  # printable ASCII, but no " and no \
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
    head, *modifiers = rest.removesuffix("?").split(":")
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
    for modifier in modifiers:
        field = _modified(field, kind, modifier)
    field = _bounded(field)
    if field.unique:
        _judge_unique(field)
    linked = (field.unique or field.indexed) and not isinstance(field, kinds.Url)  # that is ASCII
    if linked and field.sized and field.high > LINKED:
        raise Refused(f"{name}: an index holds texts of {LINKED} letters at most; say :{LINKED}.")
    return _with_default(field, kind, default) if equals else field


def _modified(field: Field, kind: str, modifier: str) -> Field:
    """The field with one modifier more."""
    name = field.name
    bounds = re.fullmatch(rf"({BOUND})?\.\.({BOUND})?", modifier)
    if modifier in ("unique", "index"):
        unique = modifier == "unique"
        if not (field.uniquely if unique else field.keyed):
            raise Refused(f"{name}: {kind} cannot be {modifier}; leave it out.")
        if field.unique if unique else field.indexed:
            raise Refused(f"{name}: {modifier} is there twice; say it once.")
        return replace(field, unique=True) if unique else replace(field, indexed=True)
    if not bounds and not re.fullmatch("[0-9]{1,9}", modifier):
        known = "unique, index, a length as 255 or a range as 0..5, and ? at the end"
        raise Refused(f"{name}: '{shown(modifier)}' is no modifier; there are {known}.")
    if field.widest is None:
        raise Refused(f"{name}: {kind} takes no length and no range; leave out {shown(modifier)}.")
    if field.low is not None or field.high is not None:
        raise Refused(f"{name}: say one length or range, not two.")
    if not bounds:
        if not field.sized:
            raise Refused(f"{name}: {kind} has no length; write a range, as 0..{modifier}.")
        return replace(field, high=int(modifier))
    if isinstance(field, kinds.Slug | kinds.Url):
        raise Refused(f"{name}: {kind} takes a length, as {field.widest[1]}, and no range.")
    low, high = (given and _number(field, given) for given in bounds.groups())
    if low is None and high is None:
        raise Refused(f"{name}: '..' is no range; write 0..5, 0.. or ..5.")
    return replace(field, low=low, high=high)


def _number(field: Field, given: str) -> Any:
    if isinstance(field, kinds.Decimals):
        return Decimal(given)
    if "." in given:
        raise Refused(f"{field.name}: {given} is no whole number.")
    return int(given)


def _bounded(field: Field) -> Field:
    """The field with both of its bounds, which are in order, and no wider than there can be."""
    if field.widest is None:
        return field
    name, (lowest, highest) = field.name, field.widest
    low, high = (
        usual if given is None else given
        for given, usual in zip((field.low, field.high), field.usual, strict=True)
    )
    if isinstance(field, kinds.Decimals):
        for bound in (low, high):
            if bound != round(bound, field.places):
                raise Refused(f"{name}: {bound} has more than {field.places} decimals.")
    for bound in (low, high):
        if bound is not None and not lowest <= bound <= highest:
            of = "lengths" if field.sized else "values"
            raise Refused(f"{name}: {bound} is beyond the {of} there are, {lowest} to {highest}.")
    if low is not None and low > high:
        raise Refused(f"{name}: the range {low}..{high} is upside down; write {high}..{low}.")
    if low is not None and low == high and not field.sized:
        raise Refused(f"{name}: the range {low}..{high} leaves one value only.")
    return replace(field, low=low, high=high)


def _judge_unique(field: Field) -> None:
    few = f"{field.name}: unique needs room for a million values or more; make it "
    if isinstance(field, kinds.Text) and field.high < len(str(MANY)):
        raise Refused(f"{few}{len(str(MANY))} letters long.")
    if isinstance(field, kinds.Integer) and field.high - max(field.low, 0) < MANY:
        raise Refused(f"{few}{max(field.low, 0)}..{max(field.low, 0) + MANY}.")


def _with_default(field: Field, kind: str, default: str) -> Field:
    """The field with its default, which the field itself finds good."""
    name, said = field.name, f"the default '{shown(default)}'"
    if not field.defaults:
        raise Refused(f"{name}: {kind} takes no default; leave out ={shown(default)}.")
    if field.unique:
        raise Refused(f"{name}: what is unique has no default, which two rows would share.")
    if not DEFAULT.fullmatch(default):
        raise Refused(
            f"{name}: {said} is not 1 to 40 letters of ASCII without quotes and backslashes; "
            "write another into the model afterwards."
        )
    names = {**vars(fields), **vars(db), "Decimal": Decimal}
    if isinstance(field, kinds.Enum):
        names[field.constant] = field.choices
    judge = eval(field.spelled(), names)  # which we have just spelled ourselves
    try:
        value = load(Query.from_dict({"value": judge})(), {"value": default})["value"]
    except Invalid as refusal:
        message = refusal.members["errors"][0]["message"]
        raise Refused(f"{name}: {said} does not fit: {message}") from refusal
    return replace(field, default=_server_default(value))


def _server_default(value: Any) -> str:
    if isinstance(value, bool):
        return f'text("{str(value).lower()}")'
    return kinds.literal(fields.spell(value) if isinstance(value, datetime) else str(value))


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
