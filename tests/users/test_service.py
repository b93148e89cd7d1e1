"""Accounts: two names, unique as they are stored, also in haste."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from project.db import transaction
from project.errors import Invalid, Refused
from project.http.app import App
from project.http.body import load
from project.users import passwords, service
from project.users.models import User
from project.users.schemas import UserIn
from tests.users.make import PASSWORD, make_user

GIVEN = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}


def create(**values: Any) -> User:
    return service.create(load(UserIn(), {**GIVEN, **values}))


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"username": " ADA_-9 "}, {"username": "ada_-9"}),
        ({"username": "abc"}, {"username": "abc"}),
        ({"username": "x" * 50}, {"username": "x" * 50}),
        ({"email": " Ada@Example.ORG "}, {"email": "ada@example.org"}),
        ({"email": "ÄDA@exämple.org"}, {"email": "äda@exämple.org"}),
        ({"full_name": f" {'é' * 255} "}, {"full_name": "é" * 255}),
        ({"full_name": None, "bio": "x" * 2000}, {"full_name": None, "bio": "x" * 2000}),
        ({"is_superuser": True}, {"is_superuser": True, "is_active": True}),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_account_is_kept_in_its_stored_form(
    context: None, sent: dict[str, Any], kept: dict[str, Any]
) -> None:
    user = create(**sent)
    assert {name: getattr(user, name) for name in kept} == kept
    assert user.hashed_password.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.matches(user.hashed_password, PASSWORD)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("username", "ab", "too_short"),
        ("username", " a ", "too_short"),
        ("username", "", "blank"),
        ("username", "x" * 51, "too_long"),
        ("username", "a b", "pattern"),
        ("username", "ab\nc", "pattern"),
        ("username", "äda", "pattern"),
        ("username", "İda", "pattern"),
        ("username", "ada.b", "pattern"),
        ("username", "ada٣", "pattern"),
        ("username", "a\x00bc", "characters"),
        ("email", "ada", "invalid_email"),
        ("email", "ada@", "invalid_email"),
        ("email", "a b@example.org", "invalid_email"),
        ("email", "Ada <ada@example.org>", "invalid_email"),
        ("email", "ada@example.org, bob@example.org", "invalid_email"),
        ("email", f"{'x' * 250}@example.org", "too_long"),
        ("email", "a\x00@example.org", "characters"),
        ("password", "x" * 7, "too_short"),
        ("password", "x" * 129, "too_long"),
        ("password", "nul\x00nul\x00", "characters"),
        ("password", "\udc80" * 8, "characters"),
        ("full_name", "x" * 256, "too_long"),
        ("bio", "x" * 2001, "too_long"),
        ("is_superuser", 1, "invalid"),
        ("hashed_password", "x", "unknown"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_does_not_validate_is_refused(field: str, value: Any, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        load(UserIn(), {**GIVEN, field: value})
    [error] = caught.value.members["errors"]
    assert (error["field"], error["code"]) == (field, code)


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        ({"email": "b@example.org"}, "User name 'ada' is taken"),
        ({"email": "b@example.org", "username": "ADA"}, "User name 'ada' is taken"),
        ({"username": "bob"}, "E-mail 'ada@example.org' is taken"),
        ({"username": "bob", "email": "ADA@Example.org"}, "E-mail 'ada@example.org' is taken"),
    ],
)
def test_names_are_unique_as_they_are_stored(
    context: None, second: dict[str, str], sentence: str
) -> None:
    create()
    with pytest.raises(Refused) as caught:
        create(**second)
    assert caught.value.sentence == sentence


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"username": "ab"}, "ck_users_username_length"),
        ({"username": "x" * 51}, "value too long"),
        ({"username": "ADA"}, "ck_users_username_lower"),
        ({"bio": "x" * 2001}, "ck_users_bio_length"),
    ],
)
def test_the_database_keeps_the_rules_by_itself(
    context: None, values: dict[str, str], constraint: str
) -> None:
    with pytest.raises((DBAPIError, Invalid)) as caught:
        make_user(**values)
    assert constraint in str(caught.value if caught.type is not Invalid else caught.value.__cause__)


def test_only_the_active_are_found(context: None) -> None:
    user, gone = make_user(), make_user(is_active=False)
    assert service.active(user.id) is user
    assert service.active(gone.id) is None
    assert service.active(2**70) is None


def test_one_name_for_eight_at_once_goes_to_one(own: App) -> None:
    start = Barrier(8)

    def register(number: int) -> str:
        with own.app_context():
            try:
                with transaction():
                    start.wait(10)
                    create(username="Ada" if number % 2 else f"ada{number}")
            except Refused as refusal:
                return refusal.sentence
            return "made"

    with ThreadPoolExecutor(8) as pool:
        said = Counter(pool.map(register, range(8)))
    assert said["made"] == 1
    assert set(said) <= {"made", "User name 'ada' is taken", "E-mail 'ada@example.org' is taken"}
