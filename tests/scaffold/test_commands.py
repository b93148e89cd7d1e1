"""The commands, in a copy of the house: what they write works, and goes without a trace."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config import ROOT
from project.errors import Refused
from project.scaffold import destroying, making, writing
from project.scaffold.house import House
from project.scaffold.making import Wanted
from tests.scaffold.bare import take_away
from tests.scaffold.wanted import EVERYTHING, ORDER, SHEEP

COPIED = (".gitignore", "Makefile", "config.py", "gunicorn.conf.py", "wsgi.py", "pyproject.toml")
FOLDERS = ("project", "tests", "migrations")
BIN = Path(sys.executable).parent
HOUSE = [  # what must hold of every room, and is quick
    *("test_access.py", "test_documents.py", "test_lists.py", "test_mass_assignment.py"),
    *("test_migrations.py", "test_once.py", "test_openapi.py"),
]
WHOLE = ("test_documents", "test_lists", "test_migrations", "test_once", "test_openapi")


class Copy:
    """A checkout of the house with nothing to commit."""

    def __init__(self, root: Path, *, new: bool = True) -> None:
        self.root = root
        if not new:
            return
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        for name in FOLDERS:
            shutil.copytree(ROOT / name, root / name, ignore=ignored)
        for name in COPIED:
            shutil.copy(ROOT / name, root)
        self.run("git", "init", "-q")
        self.commit()
        take_away(root)
        self.commit()

    def run(self, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.root,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=False,
        )

    def flask(self, *command: str) -> subprocess.CompletedProcess[str]:
        return self.run(str(BIN / "flask"), *command)

    def new(self, spec: str) -> subprocess.CompletedProcess[str]:
        return self.flask("new", "resource", *spec.split())

    def commit(self) -> None:
        self.run("git", "add", "-A")
        name = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        self.run("git", *name, "commit", "-qm", "All of it")

    def refused(self, what: str, *words: str) -> str:
        """What the command would say, which is refused before it writes."""
        with pytest.raises(Refused) as caught:
            self.plan(what, words)
        return caught.value.sentence

    def plan(self, what: str, words: tuple[str, ...]) -> writing.Plan:
        """What the command would do."""
        house = House(self.root)
        if what == "destroy":
            return destroying.plan(words[0], house)
        return making.plan(making.read(Wanted.said(words), house), house)

    def status(self) -> list[str]:
        return self.run("git", "status", "--porcelain", "-uall").stdout.splitlines()

    def passes(self, *command: str) -> None:
        ended = self.run(*(str(BIN / command[0]), *command[1:]))
        assert ended.returncode == 0, ended.stdout[-5000:] + ended.stderr[-5000:]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """With three rooms more, one of every type, one with every option, one that is plain."""
    copy = Copy(tmp_path_factory.mktemp("house"))
    for spec in (EVERYTHING, ORDER, SHEEP):
        began = time.monotonic()
        written = copy.new(spec)
        assert written.returncode == 0, written.stderr
        assert time.monotonic() - began < 30
        assert "Go on:" in written.stdout
    return copy


def test_what_is_written_pleases_every_judge(house: Copy) -> None:
    house.passes("ruff", "format", "--check", ".")
    house.passes("ruff", "check", ".")
    house.passes("lint-imports")
    if (ROOT / ".mypy_cache").is_dir():
        shutil.copytree(ROOT / ".mypy_cache", house.root / ".mypy_cache")
    house.passes("mypy")


def test_what_is_written_passes_its_own_tests_and_those_of_the_house(
    house: Copy, postgres: str
) -> None:
    rooms = [f"tests/{many}" for many in House(house.root).written]
    assert len(rooms) == 3
    tests = [*rooms, *(f"tests/house/{name}" for name in HOUSE)]
    ours = " or ".join(["kitchen_sink", "order_line", "sheep", *WHOLE])
    ended = house.run(
        *(sys.executable, "-m", "pytest", *tests, "-k", ours), TEST_DATABASE_URL=postgres
    )
    assert ended.returncode == 0, ended.stdout[-5000:]


def test_a_dry_run_shows_everything_and_writes_nothing(house: Copy) -> None:
    before = house.status()
    shown = house.flask(
        "new", "resource", "ox", "name:text:unique", "--plural", "oxen", "--dry-run"
    )
    assert shown.returncode == 0
    assert "+++ b/project/oxen/models.py" in shown.stdout
    assert "+from project.oxen import routes as oxen" in shown.stdout
    assert shown.stdout.endswith("Nothing was written: this was a dry run.\n")
    assert house.status() == before


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("ox", "name:string"), "there is no type 'string'"),
        (("product", "name:text"), "project/products is there already"),
        (("sheep", "name:text"), "project/sheep is there already"),
        (("error", "name:text"), "project/errors.py is there already"),
        (("table", "name:text"), "tests/tables.py is there already"),
        (("token", "name:text"), "'tokens' means something else in project/features.py"),
        (("author", "name:text"), "project/posts/schemas.py has a AuthorOut already"),
        (("movement", "name:text"), "already"),
        (("ox", "name:text", "--plural", "stock"), "'stock' means something else"),
        (("../ox", "name:text"), "cannot name a resource"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_written_is_refused_in_one_sentence(
    house: Copy, command: tuple[str, ...], told: str
) -> None:
    assert told in house.refused("new", *command)


@pytest.mark.parametrize(
    "command",
    [
        ("new", "resource", "ox", "name:string"),
        ("destroy", "resource", "nothing", "--yes"),
    ],
)
def test_a_refusal_is_one_sentence_on_standard_error(house: Copy, command: tuple[str, ...]) -> None:
    before = house.status()
    ended = house.flask(*command)
    assert (ended.returncode, ended.stdout) == (1, "")
    [line] = ended.stderr.splitlines()
    assert line.startswith("Error: ")
    assert house.status() == before


def test_changes_that_are_not_committed_are_not_lost(house: Copy) -> None:
    features = house.root / "project" / "features.py"
    before = features.read_text()
    features.write_text(f"{before}\nMORE = 1\n")
    told = "project/features.py has changes that are not committed; commit them, or undo them."
    assert house.refused("new", "ox", "name:text") == told
    assert house.refused("destroy", "sheep") == told
    features.write_text(before)
    service = house.root / "project" / "sheep" / "service.py"
    written = service.read_text()
    service.write_text(f"{written}\nMORE = 1\n")
    told = "project/sheep/service.py has changes that are not committed; commit them first."
    assert house.refused("destroy", "sheep") == told
    service.write_text(written)
    (house.root / "project" / "sheep" / "tasks.py").write_text('"""More."""\n')
    told = "project/sheep/tasks.py was not written by flask new resource; delete it first."
    assert house.refused("destroy", "sheep") == told
    (house.root / "project" / "sheep" / "tasks.py").unlink()


def test_what_others_need_and_what_was_not_written_by_command_stays(house: Copy) -> None:
    told = house.refused("destroy", "kitchen_sink")
    assert "depends on kitchen sinks" in told
    told = house.refused("destroy", "product")
    assert told.startswith("project/products was not written by flask new resource")
    told = house.refused("destroy", "nothing")
    assert told.startswith("There is no resource 'nothing'")


def test_nothing_goes_before_somebody_has_said_yes(house: Copy) -> None:
    before = house.status()
    asked = subprocess.run(
        [BIN / "flask", "destroy", "resource", "sheep"],
        cwd=house.root,
        input="n\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 1
    assert "Delete the code of sheep" in asked.stdout
    assert house.status() == before


def test_rooms_that_are_committed_go_one_after_the_other(house: Copy, tmp_path: Path) -> None:
    shutil.copytree(house.root, tmp_path, dirs_exist_ok=True)
    copy = Copy(tmp_path, new=False)
    copy.commit()
    for one in ("order_line", "kitchen_sink", "sheep"):
        ended = copy.flask("destroy", "resource", one, "--yes")
        assert ended.returncode == 0, ended.stderr
    gone = {line.partition("/")[2].split("/")[0] for line in copy.status() if line[1] == "D"}
    assert gone == {"kitchen_sinks", "order_lines", "sheep"}


@pytest.fixture
def destroyed(house: Copy) -> Copy:
    """Without the three rooms."""
    for one in ("order_line", "kitchen_sink", "sheep"):
        gone = house.flask("destroy", "resource", one, "--yes")
        assert gone.returncode == 0, gone.stderr
    return house


def test_what_is_destroyed_leaves_its_migrations_and_nothing_else(destroyed: Copy) -> None:
    """Runs last: the rooms of the others are gone after it."""
    written = destroyed.status()
    assert len(written) == 6
    assert all(line.startswith("?? migrations/versions/00") for line in written)
    assert not (destroyed.root / "project" / "sheep").exists()
    assert not (destroyed.root / "tests" / "sheep").exists()
    destroyed.passes("ruff", "format", "--check", ".")
    destroyed.passes("ruff", "check", ".")
    destroyed.passes("pytest", "tests/house/test_migrations.py")
