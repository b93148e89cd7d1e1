"""What PostgreSQL writes is what the schema would: byte for byte, for whatever is answered so."""

from __future__ import annotations

import inspect
import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import (
    DATE,
    JSON,
    NUMERIC,
    UUID,
    Select,
    UniqueConstraint,
    cast,
    literal,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import selectinload

from project.db import UNKNOWN, Lookup, db
from project.http import documents, orders, pages
from project.http.app import App
from project.http.fields import (
    Date,
    Int,
    Money,
    Note,
    Numeric,
    Object,
    Text,
    Timestamp,
    Uuid,
    Value,
)
from project.http.schemas import Schema
from project.products.models import MAX_STOCK, Product
from project.products.schemas import ProductOut
from project.products.stock import service as stock
from project.products.stock.models import Movement
from project.reservations import service as reservations
from project.sessions import service as sessions
from project.sessions.models import Session
from project.users.models import User
from tests.house.rooms import ROOMS, Room
from tests.house.world import World
from tests.posts.make import make_post
from tests.products.make import make_product
from tests.webhooks.make import make_webhook

ODD = (
    "".join(map(chr, range(1, 161))) + '"\\/\u2028\u2029\ufeff\ufffe 😀 e\u0301 Ω\U0010ffff',
    "null",
    "0",
    "'; --%s %(x)s $1 {} \\u0000 \\",
)
INSTANTS = (
    datetime(1, 1, 2, tzinfo=UTC),
    datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(9999, 12, 30, 0, 0, 0, 100, tzinfo=UTC),
)


Written = dict[str, tuple[Any, Any]]


def written(app: App, kind: str) -> Written:
    """The views that return a Select, or a Lookup: each with its model and its schema."""
    found: Written = {}
    for endpoint, view in app.view_functions.items():
        function: Any = inspect.unwrap(view)
        answer = re.fullmatch(rf"{kind}\[(\w+)\]", function.__annotations__.get("return", ""))
        notes = getattr(view, "_apidoc", {})
        if answer and "written" in notes:
            found[endpoint] = function.__globals__[answer[1]], notes["written"]()
    return found


@pytest.fixture
def everything(app: App, world: World) -> Iterator[None]:
    """Rows of every model, some of them odd."""
    with app.app_context():
        author = db.session.get_one(User, world.users["owner"])
        author.full_name = ODD[0][:200]
        for n, text in enumerate(ODD):
            make_product(
                name=f"{text[:200]} {n}",
                description=text,
                price=Decimal(("0.01", "99999999.99", "1.10", "5")[n]),
                stock=(0, MAX_STOCK, 1, 7)[n],
                low_stock_threshold=(None, 0, 3, 9)[n],
                created_at=INSTANTS[n % 3],
                is_active=bool(n % 2),
            )
            make_post(title=f"{n} {text[:200]}", content=text, author=author, is_published=n == 1)
            make_webhook(
                description=text[:200], event_types=[None, ["user.created", "user.*"]][n % 2]
            )
        held = make_product(stock=9)
        reservations.create([{"product_id": held.id, "quantity": n} for n in (3, 1, 2)], 60)
        for room in ROOMS.values():
            for n in range(4):
                room.make(**odd(room, n))
        stock.adjust(held.id, 4, reason=ODD[0][:200])
        db.session.commit()
        yield


def odd(room: Room, n: int) -> dict[str, Any]:
    """The longest, least and greatest values there can be in a row of a room."""
    schema = getattr(room.told, f"{room.model.__name__}In")()
    values: dict[str, Any] = {}
    keys = {*room.refs, *(next(iter(each.columns)).name for each in unique(room))}
    for name, field in schema.fields.items():
        if type(field) in (Text, Note):
            values[name] = f"{n}{ODD[n]}".ljust(field.min, "x")[: field.max]
        elif isinstance(field, Int | Numeric) and name not in keys:
            values[name] = (field.min, field.max)[n % 2]
        elif isinstance(field, Timestamp) and name not in keys:
            values[name] = INSTANTS[n % 3]
        elif isinstance(field, Date) and name not in keys:
            values[name] = (date.min, date.max)[n % 2]
        elif isinstance(field, Object):
            values[name] = {ODD[n]: [ODD[n], 1.1, None]}
        if field.allow_none and n == 3:
            values[name] = None
    return values


def unique(room: Room) -> list[UniqueConstraint]:
    table = room.model.metadata.tables[room.table]
    return [each for each in table.constraints if isinstance(each, UniqueConstraint)]


def dumped(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def all_of(model: Any) -> tuple[Select[Any], list[Any]]:
    """A Select of every row, and the rows with all that belongs to them."""
    if model is Session:
        id = db.session.scalars(select(Session.user_id).order_by(Session.id.desc())).first() or 0
        found = sessions.of_user(id, 1)
        rows = []
        for row, is_current in db.session.execute(found.order_by(Session.id)):
            row.is_current = is_current
            rows.append(row)
        return found, rows
    found = select(model)
    return found, [*db.session.scalars(found.options(selectinload("*")).order_by(model.id))]


def test_every_item_is_written_as_its_schema_would(app: App, everything: None) -> None:
    views = written(app, "Lookup")
    assert "products.get_product" in views
    for endpoint, (model, schema) in views.items():
        _, rows = all_of(model)
        assert rows, endpoint
        for row in rows:
            found = documents.find(Lookup(model, row.id), schema)
            assert found.document.decode() == dumped(schema.dump(row)), endpoint
            assert found.tag == row.tag, endpoint
            among = Lookup(model, row.id, select(model).where(model.id != 0))
            assert documents.find(among, schema) == found


@pytest.mark.parametrize("limit", [2, 100])
def test_every_page_is_written_as_its_schema_would(app: App, everything: None, limit: int) -> None:
    views = written(app, "Select")
    assert "products.list_products" in views
    for endpoint, (model, schema) in views.items():
        found, rows = all_of(model)
        assert rows, endpoint
        sort = orders.order("id", {"id": model.id})
        pieces = pages.read(found, schema, UNKNOWN, frozenset(), limit=limit, sort=sort)
        page = b"".join(pieces).decode().replace(",\n", ",")  # an item a line
        whole: Any = pages.page_schema(schema.__class__)
        members = {"items": rows[:limit], "total": len(rows), "skip": 0, "limit": limit}
        members["next_cursor"] = json.loads(page)["next_cursor"]
        assert (members["next_cursor"] is None) == (len(rows) <= limit)
        assert page == dumped(whole().dump(members)), endpoint


@pytest.mark.parametrize("members", [0, 1, 40, 41, 130])
def test_a_document_has_as_many_members_as_its_schema(context: None, members: int) -> None:
    """Whatever they are called."""
    odd = 'it\'s \\ "{}" of 100% ß :x'
    names = [odd.format(n) for n in range(members)]
    fields = {
        f"n{n}": Int(attribute="id", data_key=name, dump_only=True) for n, name in enumerate(names)
    }
    schema: Any = type("Wide", (Schema,), fields)()
    product = make_product()
    expected = dumped(schema.dump(product))
    assert documents.find(Lookup(Product, product.id), schema).document.decode() == expected
    among = Lookup(Product, product.id, select(Product).where(Product.id > 0))
    assert documents.find(among, schema).document.decode() == expected


@pytest.mark.parametrize("strings", ["on", "off"])
def test_what_nobody_could_have_sent_is_written_as_null(context: None, strings: str) -> None:
    """By SQL instants may be infinite, and a server may read backslashes otherwise."""
    product = make_product()
    db.session.execute(text(f"SET LOCAL standard_conforming_strings = {strings}"))
    db.session.execute(text("UPDATE products SET created_at = 'infinity'"))
    written = json.loads(documents.find(Lookup(Product, product.id), ProductOut()).document)
    assert written["created_at"] is None
    assert written["updated_at"].endswith("Z")


def test_what_an_outer_join_leaves_out_is_null(context: None) -> None:
    product = make_product()
    never = select(Product, Movement.quantity.label("available"))
    found: Any = never.outerjoin(Movement, Movement.id == 0)
    among = Lookup(Product, product.id, found)
    assert json.loads(documents.find(among, ProductOut()).document)["available"] is None


KINDS: list[tuple[Value, Any, list[Any]]] = [
    (Date(), DATE(), [date(1, 1, 1), date(2024, 2, 29), date(9999, 12, 31)]),
    (Timestamp(), TIMESTAMP(timezone=True), list(INSTANTS)),
    (Uuid(), UUID(), [uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)]),
    (Numeric(12, 3), NUMERIC(12, 3), [Decimal(n) for n in ("0", "-0.001", "999999999.999", "5")]),
    (Money(), NUMERIC(10, 2), [Decimal("0.01"), Decimal("-5"), Decimal("99999999.99")]),
    (Object(), JSON(none_as_null=True), [{}, {"z": [1.1, None], "a": {"ß": 10**40}, "": 1e300}]),
    (Object(), JSON(none_as_null=True), [{text: text} for text in ODD]),
]


@pytest.mark.parametrize(("field", "kind", "values"), KINDS, ids=str)
def test_every_field_is_written_as_it_would_be_dumped(
    context: None, field: Value, kind: Any, values: list[Any]
) -> None:
    """Also those that no room of ours has yet."""
    for value in [*values, None]:
        row = select(cast(literal(value, kind), kind).label("it")).subquery("row")
        written = db.session.scalar(select(field.json(row.c.it)))
        assert written == dumped(field._serialize(value, "it", None))
