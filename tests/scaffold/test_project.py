"""`flask new project`: a copy that works, under its title, without a trace of what is left out."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config import NAME, ROOT, TITLE
from project.scaffold.projects.copying import NAMING
from project.scaffold.projects.rooms import (
    BASICS,
    TRACES,
    needing,
    optional,
    referring,
    words,
)
from tests.conftest import SECRET, administration, at
from tests.tables import SCHEMA, asked

AWAY = (".venv", ".git", "instance", "node_modules", ".hypothesis", ".*_cache", "__pycache__")
OTHER, CALLED = ("Corner Shop", "corner_shop") if TITLE != "Corner Shop" else ("Bakery", "bakery")
FIRST = "moorkcots"[::-1]  # what the first of all is called
ROOMS = optional(ROOT / "project")
CHOSEN: list[str] = ["posts", "products"]  # and whoever needs one of them, or refers to one
while REFERRING := referring(ROOT / "project", {*CHOSEN, *needing(ROOT / "project", CHOSEN)}):
    CHOSEN += sorted(REFERRING)
COMMAND = [sys.executable, "-m", "flask", "new", "project"]
TOLD = """
import json, sys
from flask_migrate import upgrade
from config import Config
from project import create_app
app = create_app(Config(database_url=sys.argv[1], secret_key=sys.argv[2]))
client = app.test_client()
ada = {"username": "ada", "email": "ada@example.org", "password": "correct horse battery"}
made = client.post("/api/v1/auth/register", json=ada)
print(json.dumps([client.get("/readyz").status_code, made.status_code, made.json["username"]]))
"""


def begin(house: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, in a house of its own."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=house,
        env={**os.environ, "SECRET_KEY": SECRET, "DATA_DIR": str(house.parent / "data")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This house as it is now, all of it committed."""
    place = tmp_path_factory.mktemp("house") / "house"
    shutil.copytree(ROOT, place, ignore=shutil.ignore_patterns(*AWAY))
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "All."]):
        who = ["-c", "user.name=tests", "-c", "user.email=tests@localhost"]
        subprocess.run(["git", *who, *command], cwd=place, check=True)
    return place


@pytest.fixture(scope="module")
def shop(house: Path) -> Path:
    """A project without the chosen rooms."""
    place = house.parent / "shop"
    told = begin(house, str(place), "--name", OTHER, "--without", ",".join(CHOSEN))
    assert told.returncode == 0, told.stderr
    for room, needed in needing(ROOT / "project", CHOSEN).items():
        assert (
            f"{room} is left out too, since it needs {' and '.join(sorted(needed))}." in told.stdout
        )
    return place


def gone() -> re.Pattern[str]:
    """What speaks of the rooms that are left out."""
    return words({*CHOSEN, *needing(ROOT / "project", CHOSEN)})


def texts(place: Path) -> Iterator[tuple[Path, str]]:
    """Every text of a project."""
    for path in sorted(place.rglob("*")):
        if path.is_file() and ".git" not in path.parts and "__pycache__" not in path.parts:
            yield path.relative_to(place), path.read_text()


def test_the_title_is_everywhere_and_the_first_only_where_the_origin_is_told(shop: Path) -> None:
    told = {str(path) for path, text in texts(shop) if FIRST in text.lower()}
    assert told <= {"README.md", "CHANGELOG.md", "LICENSE"}
    readme, config = (shop / "README.md").read_text(), (shop / "config.py").read_text()
    assert readme.startswith(f"# {OTHER}\n\n{OTHER} is a REST")
    assert f"| `MAIL_FROM` | `{CALLED}@localhost` |" in readme
    assert f'\nTITLE = "{OTHER}"' in config
    assert f'\nNAME = "{CALLED}"' in config
    environment = (shop / ".env.example").read_text()
    assert f"DATABASE_URL=postgresql://{CALLED}@localhost/{CALLED}\n" in environment


def test_nothing_speaks_of_what_is_left_out(shop: Path) -> None:
    named = gone()
    own = {"requirements.txt", "requirements-dev.txt", "common_passwords.txt"}
    speaking = [
        f"{path}:{number}: {line}"
        for path, text in texts(shop)
        if path.name not in own and path.suffix != ".sql"
        for number, line in enumerate(text.splitlines(), start=1)
        if named.search(line)
    ]
    assert speaking == []
    places = [str(path) for path, _ in texts(shop) if named.search(str(path))]
    assert places == []


def test_the_proxy_of_a_copy_is_whole_but_for_its_places(house: Path, shop: Path) -> None:
    before, after = ((each / "deploy" / "nginx.conf").read_text() for each in (house, shop))
    left_out = "".join(part for part in before.split("\n\n") if gone().search(part))
    opened = before.count("{") - left_out.count("{")
    assert after.count("{") == after.count("}") == opened
    assert [line for line in after.splitlines() if line not in before.splitlines()] == []
    assert "location / {" in after


def test_the_code_of_what_stays_is_what_it_is_here(house: Path, shop: Path) -> None:
    """Only the table of contents, the first start, settings and the command itself name rooms."""
    naming = {*NAMING} | {file for traces in TRACES.values() for file, _ in traces.instead}
    for path in shop.glob("project/**/*.py"):
        name = str(path.relative_to(shop))
        assert name in naming or path.read_text() == (house / name).read_text(), name


def test_it_is_as_the_linters_want_it(shop: Path) -> None:
    tools = Path(sys.executable).parent
    for command in (["ruff", "format", "--check", "."], ["ruff", "check", "."], ["lint-imports"]):
        ran = subprocess.run(
            [tools / command[0], *command[1:]],
            cwd=shop,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_it_is_a_repository_with_one_commit(shop: Path) -> None:
    def git(*arguments: str) -> str:
        return subprocess.check_output(["git", *arguments], cwd=shop, text=True)

    assert git("log", "--format=%s").splitlines() == [f"{OTHER}: begun from {TITLE}"]
    assert git("status", "--porcelain", "--untracked-files=no") == ""


@pytest.fixture(scope="module")
def migrated(shop: Path, postgres: str) -> Iterator[str]:
    """Its database, by its own migrations, up, down and up again."""
    name = f"{NAME}_shop_{os.getpid()}"
    url = at(postgres, name)
    with administration(postgres) as run:
        run(f'CREATE DATABASE "{name}"')
        for command in (["upgrade"], ["downgrade", "base"], ["upgrade"], ["check"]):
            ran = subprocess.run(
                [sys.executable, "-m", "flask", "db", *command],
                cwd=shop,
                env={**os.environ, "DATABASE_URL": url, "SECRET_KEY": SECRET},
                capture_output=True,
                text=True,
                check=False,
            )
            assert ran.returncode == 0, ran.stderr
        yield url
        run(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_it_serves_on_a_database_of_its_own(shop: Path, migrated: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", TOLD, migrated, SECRET],
        cwd=shop,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout == '[200, 201, "ada"]\n', ran.stderr


@pytest.mark.parametrize("question", SCHEMA)
def test_every_table_that_is_left_is_what_it_is_here(
    migrated: str, database_url: str, question: str
) -> None:
    named = gone()
    here = {row for row in asked(database_url, question) if not named.search(row[0])}
    assert here - {row for row in here if row[0] == "samples"} == asked(migrated, question)


REFUSED = [  # arguments, and the sentence
    (["--name", ""], "--name must be letters and digits"),
    (["--name", " Shop"], "--name must be letters and digits"),
    (["--name", 'A "Shop"'], "--name must be letters and digits"),
    (["--name", "Bob's"], "--name must be letters and digits"),
    (["--name", "A\nShop"], "--name must be letters and digits"),
    (["--name", "../shop"], "--name must be letters and digits"),
    (["--name", "{shop}"], "--name must be letters and digits"),
    (["--name", "店"], "--name must begin with a letter that has a form from a to z"),
    (["--name", "9 Lives"], "--name must begin with a letter that has a form from a to z"),
    (["--name", "Postgres"], "--name must begin with a letter that has a form from a to z"),
    (["--name", "S" * 41], "--name must be at most 40 characters long."),
    (["--name", TITLE], f"--name must be another than {TITLE}."),
    (["--name", OTHER, "--without", "poems"], "--without names 'poems', which is no room: "),
    (["--name", OTHER, "--without", "../auth"], "--without names '../auth', which is no room: "),
    (["--name", OTHER, "--without", "auth"], "--without cannot name auth: every project stands"),
    *[
        (["--name", OTHER, "--without", f"{room},{room}"], f"--without names {room} twice.")
        for room in ROOMS[:1]
    ],
    *[
        (
            ["--name", OTHER, "--without", "reservations"],
            "--without cannot name reservations alone",
        )
        for room in ROOMS
        if room == "reservations"
    ],
]


@pytest.mark.parametrize(("arguments", "sentence"), REFUSED, ids=lambda it: ascii(it)[:60])
def test_what_is_asked_wrongly_is_refused_in_one_sentence(
    app: Any, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    told = app.test_cli_runner().invoke(args=["new", "project", str(tmp_path / "it"), *arguments])
    assert (told.exit_code, told.stdout) == (1, "")
    [line] = told.stderr.splitlines()
    assert line.startswith(f"Error: {sentence}")
    assert [*tmp_path.iterdir()] == []


def test_a_place_that_cannot_be_is_refused_and_left_as_it_was(app: Any, tmp_path: Path) -> None:
    full, file, link = tmp_path / "full", tmp_path / "file", tmp_path / "link"
    (full / "inside").mkdir(parents=True)
    file.touch()
    link.symlink_to(tmp_path / "elsewhere")
    for place, sentence in (
        (full, f"{full} is there and not an empty folder: name another one."),
        (file, f"{file} is there and not an empty folder: name another one."),
        (link, f"{link} is there and not an empty folder: name another one."),
        (tmp_path / "no" / "shop", f"{tmp_path / 'no'} is not there: make it first."),
        (ROOT / "shop", f"{ROOT / 'shop'} is inside this project: name a folder outside of it."),
        (ROOT, f"{ROOT} is inside this project: name a folder outside of it."),
    ):
        told = app.test_cli_runner().invoke(args=["new", "project", str(place), "--name", OTHER])
        assert (told.exit_code, told.stdout) == (1, "")
        assert told.stderr.startswith(f"Error: {sentence}"), told.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full", "link"]
    assert not (ROOT / "shop").exists()


def test_what_is_not_committed_is_not_copied(house: Path) -> None:
    stray = house / "stray.txt"
    stray.touch()
    try:
        told = begin(house, str(house.parent / "stray"), "--name", OTHER)
    finally:
        stray.unlink()
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("Error: There are changes that are not committed")
    assert not (house.parent / "stray").exists()


def test_a_folder_where_nothing_can_be_made_is_named(house: Path) -> None:
    told = begin(house, "/proc/shop", "--name", OTHER)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("Error: /proc/shop cannot be written: ") or (
        told.stderr == "Error: /proc cannot be written to: name another folder.\n"
    )


def test_a_failure_half_way_leaves_nothing(house: Path, tmp_path: Path) -> None:
    """Nobody may commit there."""
    hooks = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.hooksPath"}
    (tmp_path / "hooks").mkdir()
    hook = tmp_path / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    place = tmp_path / "shop"
    told = subprocess.run(
        [*COMMAND, str(place), "--name", OTHER],
        cwd=house,
        env={**os.environ, **hooks, "GIT_CONFIG_VALUE_0": str(hook.parent), "SECRET_KEY": SECRET},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 1
    [line] = told.stderr.splitlines()
    assert line.startswith("Error: git commit failed")
    assert [path.name for path in tmp_path.iterdir()] == ["hooks"]


def test_trying_says_what_would_be_and_writes_nothing(house: Path, tmp_path: Path) -> None:
    told = begin(house, str(tmp_path / "shop"), "--name", OTHER, "--dry-run")
    assert told.returncode == 0, told.stderr
    for room in ROOMS:
        assert re.search(rf"\b{room}\b", told.stdout)
    assert [*tmp_path.iterdir()] == []


def test_every_room_is_a_basic_one_or_may_be_left_out() -> None:
    there = {path.parent.name for path in (ROOT / "project").glob("*/__init__.py")}
    assert there == (BASICS & there) | {*ROOMS}
    assert {name for name in BASICS if not (ROOT / "project" / name).exists()} <= {
        path.stem for path in (ROOT / "project").glob("*.py")
    }
