"""Resources for tests: one of each kind, one of every type, one of names as long as can be."""

from __future__ import annotations

import shlex

from config import ROOT
from project.scaffold import making, migration, rendering
from project.scaffold.house import House
from project.scaffold.making import Wanted
from project.scaffold.resource import Resource

SUPPLIER = (
    "supplier name:text:unique:255 email:email credit:money rating:integer:0..5 active:boolean "
    "since:date? notes:text:2000? contact:ref(users) page:url? kind:enum(maker|dealer)=maker"
)
EVERYTHING = (
    "kitchen_sink code:text:3..10:unique mail:email:unique handle:slug:unique page:url? "
    "count:integer:unique big:bigint price:money? weight:decimal(10,3):-1.5..5:index "
    "ratio:decimal? flag:boolean=true day:date:unique at:datetime moment:datetime? "
    "key:uuid:unique details:json extra:json? kind:enum(a|b) size:enum(s|m)? "
    "start:date=2026-01-01 label:text:20=hi temperature:integer:-40..60=3 maker:ref(user) "
    "author:ref(users)? above:ref(kitchen_sink)? debt:money:-500..500 title:text:index "
    "--soft-delete --public-read"
)
ORDER = (
    "order_line kitchen_sink:ref quantity:integer:1..1000=1 remark:text:50? "
    "state:enum(open|done)=open buyer:ref(users) --owned --soft-delete"
)
SHEEP = "sheep born:date:index --owned --public-read"
LONG = (
    f"a{'b' * 29} {'c' * 22}:text:unique:255 {'d' * 22}:ref(users) {'e' * 22}:integer:-40..9000 "
    f"{'f' * 22}:decimal(15,7) {'g' * 22}:enum({'h' * 40}|{'i' * 50})={'h' * 40} "
    f"{'j' * 22}:text:9:index={'k' * 9} {'l' * 22}:bigint:unique --owned --soft-delete"
)
MANY_WORDS = f"ticket state:enum({'|'.join(f'state-{n}' for n in range(40))})=state-7"
SHORT = "ox a:boolean"
ALL = [SUPPLIER, EVERYTHING, SHEEP, LONG, SHORT, MANY_WORDS]


def said(spec: str) -> Wanted:
    """What a command asks for."""
    return Wanted.said(shlex.split(f"'{spec}'".replace(" ", "' '")))


def resource(spec: str) -> Resource:
    return making.read(said(spec), House(ROOT))


def rendered(spec: str) -> dict[str, str]:
    """The files of its room."""
    return rendering.render(resource(spec))


def migrations(spec: str) -> tuple[str, str]:
    """The module that makes its table, and the one that drops it."""
    made = resource(spec)
    searched = [field.column for field in made.searched]
    table = migration.table(made)
    return migration.create(table, searched, "0001"), migration.drop(table, searched, "0002")
