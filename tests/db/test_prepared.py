"""Statements that are built once for their form, and those that are values of others."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Select, Text, bindparam, func, select

from project.db import Spoken, ask, db, form, reading
from project.db.prepared import RECENT
from project.users.models import User
from tests.db.conftest import Bench

ODD = [
    "plain",
    "it's",
    'a "name"',
    "back\\slash",
    "100 %",
    "%s %(name)s :name $1",
    "; --",
    "é🙂",
    "\n",
]


def named(name: str) -> Select[Any]:
    return select(User).where(User.username == name)


def test_questions_that_differ_in_values_have_one_form() -> None:
    one, other = form(named("ada")), form(named("bob"))
    longer = form(named("ada").where(User.is_active))
    assert one is not None
    assert other is not None
    assert longer is not None
    assert (one.number, one.values) == (other.number, ("ada",))
    assert other.values == ("bob",)
    assert one.question != other.question
    assert longer.number != one.number


def test_what_is_asked_of_another_table_too_is_not_of_the_model_alone() -> None:
    other = select(User.__table__.alias("other").c.id)
    alone = form(named("ada"))
    joined = form(select(User).where(User.id == User.__table__.alias("other").c.id))
    nested = form(select(User).where(User.id.in_(other)))
    assert [each and each.model for each in (alone, joined, nested)] == [User, None, User]


def test_a_form_is_known_again_after_many_others(bench: Bench) -> None:
    first = form(named("ada"))
    for number in range(RECENT + 1):
        form(named(f"user {number}"))
    again = form(named("ada"))
    assert first is not None
    assert again is not None
    assert again.question == first.question


@pytest.mark.parametrize("text", ODD)
def test_a_statement_within_another_says_what_it_would_alone(bench: Bench, text: str) -> None:
    """Values with signs of SQL, of the driver, and of no ASCII."""
    found = select(func.length(bindparam("text", text, type_=Text))).where(
        bindparam("same", text, type_=Text) == bindparam("text", text, type_=Text)
    )
    with bench.app.app_context(), reading():
        spoken = Spoken(found, "alone", lambda found: found, {})
        every = select(func.ids_of(bindparam("ids", type_=Text)))
        assert ask(every, "within", lambda all: all, {"ids": spoken}) == ([len(text)],)
        assert db.session.scalar(found) == len(text)
