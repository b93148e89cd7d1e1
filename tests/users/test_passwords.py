"""Passwords: their exact characters, never a common one, and two hashes at a time at most."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import pytest
from argon2 import PasswordHasher
from flask.testing import FlaskClient

from project.db import db
from project.http.app import App
from project.users import passwords
from project.users.models import PasswordReset, User
from tests.users.conftest import Member, enter
from tests.users.make import HASHED, PASSWORD, begun

URL = "/api/v1/users/"
LOGIN = "/api/v1/auth/login"
COMMON = ["password", "PASSWORD", "Password1", "123456789", "qwertyuiop", "iloveyou", "TrustNo1"]
COMMON += ["11111111", "Sunshine", "qwerty123", "1qaz2WSX", "abcd1234", "football"]
FINE = [" password", "password ", "passwörd", "pass\u200bword", "p\u0430ssword", "123456789\n"]
FINE += ["#" * 8, PASSWORD, "\u0130loveyou"]


class Counting:
    """A hasher that notes how many work at once."""

    def __init__(self) -> None:
        self.lock, self.now, self.most, self.done = Lock(), 0, 0, 0

    def hash(self, password: str) -> str:
        with self.lock:
            self.now, self.done = self.now + 1, self.done + 1
            self.most = max(self.most, self.now)
        time.sleep(0.01)
        with self.lock:
            self.now -= 1
        return HASHED

    def verify(self, hashed: str, password: str) -> bool:
        return bool(self.hash(password))


@pytest.mark.parametrize("password", COMMON)
def test_what_everybody_tries_first_is_common_in_any_case(password: str) -> None:
    assert passwords.is_common(password)
    assert passwords.is_common(password.swapcase())


@pytest.mark.parametrize("password", FINE)
def test_what_only_looks_like_it_is_not(password: str) -> None:
    assert not passwords.is_common(password)


def test_the_list_holds_three_thousand_that_length_alone_would_let_pass() -> None:
    path = Path(passwords.__file__).with_name("common_passwords.txt")
    lines = path.read_bytes().decode("ascii").split("\n")
    found = [line for line in lines if line and not line.startswith("# ")]
    assert len(found) == len(set(found)) == 3000
    assert all(8 <= len(each) <= 128 and each == each.lower().strip() for each in found)
    assert all(passwords.is_common(each) for each in found)
    assert not any(passwords.is_common(line) for line in lines if line.startswith("# "))


@pytest.mark.parametrize("password", ["password1", "PassWord1"])
def test_a_common_password_is_refused_wherever_one_is_set(
    app: App, client: FlaskClient, root: Member, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    monkeypatch.setitem(app.config, "REGISTRATION", "open")
    ada = enter(app, username="ada", email="ada@example.org")
    with app.app_context():
        token = begun("ada@example.org")
        db.session.commit()
    new = {"username": "eve", "email": "eve@example.org", "password": password}
    own = {"current_password": PASSWORD, "password": password}
    lost = {"token": token, "password": password}
    for answer in (
        client.post(URL, json=new, headers=root.headers),
        client.post("/api/v1/auth/register", json=new),
        client.patch(f"{URL}{ada.id}", json={"password": password}, headers=root.headers),
        client.post(f"{URL}me/password", json=own, headers=ada.headers),
        client.post("/api/v1/auth/password/reset", json=lost),
    ):
        assert answer.status_code == 422, answer.text
        [error] = (answer.json or {})["errors"]
        assert (error["field"], error["code"]) == ("password", "too_common")
        assert error["message"] == "Must not be one of the most common passwords."
        assert password not in answer.text
    runner = app.test_cli_runner()
    for command in (["create", "eve", "eve@example.org"], ["set-password", "ada"]):
        result = runner.invoke(args=["users", *command, "--password", password])
        sentence = "Error: password: Must not be one of the most common passwords.\n"
        assert (result.exit_code, result.stdout, result.stderr) == (1, "", sentence)
    with app.app_context():
        assert db.session.get_one(User, ada.id).hashed_password == HASHED
        assert db.session.query(PasswordReset).count() == 1
        assert db.session.query(User).count() == 2


def test_who_has_a_common_password_from_before_can_sign_in_and_change_it(
    app: App, client: FlaskClient, isolated: None
) -> None:
    ada = enter(app, username="ada", hashed_password=passwords.hash("password1"))
    signed = client.post(LOGIN, json={"login": "ada", "password": "password1"})
    assert signed.status_code == 200
    own = {"current_password": "password1", "password": PASSWORD}
    answer = client.post(f"{URL}me/password", json=own, headers=ada.headers)
    assert answer.status_code == 204


@pytest.mark.parametrize(
    "password",
    [
        "x7" * 4,
        "x7" * 64,
        " " * 8,
        "\n" * 8,
        "😀" * 128,
        "e\u0301" * 4,
        " correct horse ",
        "\ufeff" * 8,
    ],
    ids=lambda password: ascii(password)[:20],
)
def test_a_password_is_kept_as_its_exact_characters(
    client: FlaskClient, root: Member, password: str
) -> None:
    new = {"username": "eve", "email": "eve@example.org", "password": password}
    assert client.post(URL, json=new, headers=root.headers).status_code == 201
    for given, status in ((password, 200), (password[:-1] + "y", 401), (password[1:] + "é", 401)):
        answer = client.post(LOGIN, json={"login": "eve", "password": given})
        assert answer.status_code == status


@pytest.mark.parametrize(
    "hashed",
    [None, "", "x", "$argon2id$", HASHED[:-1], "$2b$12$" + "a" * 53],
    ids=lambda hashed: str(hashed)[:14],
)
def test_what_is_no_hash_of_the_password_does_not_match(hashed: str | None) -> None:
    assert passwords.matches(hashed, PASSWORD) is False
    assert passwords.matches(hashed, "nobody has this password") is False


def test_a_hash_is_outdated_when_it_is_of_another_make() -> None:
    assert not passwords.is_outdated(passwords.hash(PASSWORD))
    for made in (
        PasswordHasher(time_cost=1, memory_cost=19 * 1024, parallelism=1),
        PasswordHasher(time_cost=2, memory_cost=64, parallelism=1),
        PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=2),
        PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, salt_len=8),
    ):
        assert passwords.is_outdated(made.hash(PASSWORD))


def test_two_hashes_are_made_at_a_time_from_the_first_on(monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Counting()
    monkeypatch.setattr(passwords, "HASHER", counting)
    passwords._dummy.cache_clear()
    work = [
        lambda: passwords.matches(None, PASSWORD),
        lambda: passwords.matches(HASHED, PASSWORD),
        lambda: passwords.hash(PASSWORD),
    ]
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda number: work[number % 3](), range(24)))
    passwords._dummy.cache_clear()  # what the counting one made is not to stay
    assert counting.most == 2
    assert counting.done >= 24


def test_who_fails_gives_the_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        assert passwords.matches("x", PASSWORD) is False
        with pytest.raises(UnicodeEncodeError):
            passwords.hash("\ud800")
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(passwords.matches, HASHED, PASSWORD).result(10)
