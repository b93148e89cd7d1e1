"""What filters ask, and what a row is called."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.dialects import postgresql

from project.db import Item, at_least, at_most, equals, narrowed
from project.db.verbs import spoken
from project.users.models import User

FILTERS = {
    "username": equals(User.username),
    "id_min": at_least(User.id),
    "id_max": at_most(User.id),
}


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({"username": "x"}, "users.username = 'x'"),
        ({"id_min": 2}, "users.id >= 2"),
        ({"id_max": 3, "id_min": 2}, "users.id <= 3 AND users.id >= 2"),
    ],
)
def test_all_that_is_given_must_hold(given: dict[str, object], asked: str) -> None:
    found = narrowed(select(User), FILTERS, given).with_only_columns(User.id)
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    spelled = str(found.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    assert spelled.rpartition("WHERE ")[2] == asked


def test_nothing_given_asks_nothing() -> None:
    assert "WHERE" not in str(narrowed(select(User), FILTERS, {}))


@pytest.mark.parametrize(
    ("name", "called"), [("User", "User"), ("PurchaseOrderLine", "Purchase order line")]
)
def test_a_row_is_called_as_people_do(name: str, called: str) -> None:
    assert spoken(type(name, (Item,), {"__abstract__": True})) == called
