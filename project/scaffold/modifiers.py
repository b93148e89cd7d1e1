"""What stands behind the type of a field: bounds, unique and index, and a default that fits."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from project import db
from project.errors import Invalid, Refused
from project.http import fields
from project.http.body import load
from project.http.schemas import Query
from project.scaffold import kinds
from project.scaffold.kinds import Field
from project.scaffold.names import shown

LINKED = 500  # letters of a text that an index can hold
MANY = 1_000_000  # values that a unique field needs room for
BOUND = r"-?[0-9]{1,20}(?:\.[0-9]{1,10})?"
DEFAULT = re.compile(r"[ !#-\[\]-~]{1,40}")  # printable ASCII, but no " and no \


def modified(field: Field, kind: str, modifier: str) -> Field:
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


def bounded(field: Field) -> Field:
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


def judge(field: Field) -> None:
    """Raise Refused where it cannot be unique, or have an index, with such bounds."""
    name = field.name
    linked = (field.unique or field.indexed) and not isinstance(field, kinds.Url)  # that is ASCII
    if linked and field.sized and field.high > LINKED:
        raise Refused(f"{name}: an index holds texts of {LINKED} letters at most; say :{LINKED}.")
    few = f"{name}: unique needs room for a million values or more; make it "
    if field.unique and isinstance(field, kinds.Text) and field.high < len(str(MANY)):
        raise Refused(f"{few}{len(str(MANY))} letters long.")
    if field.unique and isinstance(field, kinds.Integer) and field.high - max(field.low, 0) < MANY:
        raise Refused(f"{few}{max(field.low, 0)}..{max(field.low, 0) + MANY}.")


def with_default(field: Field, kind: str, default: str) -> Field:
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
    judge = eval(field.spelled(), names)  # which we have just spelled ourselves # nosec B307
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
