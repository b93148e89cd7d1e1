"""The tutorial is followed to the letter: what it runs, shows, and changes."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from config import NAME, ROOT
from tests.conftest import administration, at
from tests.house.reader import Reader
from tests.house.test_start import within
from tests.scaffold.bare import take_away
from tests.scaffold.test_commands import COPIED, FOLDERS

TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text()
BLOCK = re.compile(r"^(.*)\n\n```(\w+)\n((?s:.*?))(?=^```$)", re.MULTILINE)
STAYS = re.compile(r"make run$|\.venv/bin/(gunicorn|flask worker)")
FURTHER = ("requirements.txt", "requirements-dev.txt")
WARM = (".import_linter_cache", ".mypy_cache")


@dataclass(frozen=True)
class Block:
    """A listing, and the line of text above it."""

    above: str
    kind: str
    text: str

    @property
    def place(self) -> str:
        """The file that the line above names."""
        return str(re.findall(r"`([\w/.]+)`", self.above)[-1])


BLOCKS = [Block(*found) for found in BLOCK.findall(TUTORIAL)]


@pytest.fixture
def reader(tmp_path: Path, postgres: str) -> Iterator[Reader]:
    """With a clone of the house, and a database to deploy to."""
    home = tmp_path / NAME
    home.mkdir()
    for name in (*FOLDERS, *(each for each in WARM if (ROOT / each).is_dir())):
        ignored = shutil.ignore_patterns("node_modules")
        shutil.copytree(ROOT / name, home / name, ignore=ignored)
    for name in (*COPIED, *FURTHER):
        shutil.copy2(ROOT / name, home)  # as old as it is, or make would install anew
    (home / ".venv").symlink_to((ROOT / ".venv").resolve())
    name = f"{NAME}_tutorial_{os.getpid()}"
    with administration(postgres) as run:
        run(f'CREATE DATABASE "{name}"')
        try:
            with Reader(home, at(postgres, name), TEST_DATABASE_URL=postgres) as reader:
                reader.run("git init -q\ngit add -A\ngit commit -qm 'All of it'")
                take_away(home)  # or what the tutorial makes might be there already
                reader.run("git add -A\ngit diff --cached --quiet || git commit -qm 'Bare'")
                yield reader
        finally:
            run(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_every_listing_does_what_it_shows(reader: Reader) -> None:
    printed = ""
    for block, after in zip(BLOCKS, [*BLOCKS[1:], None], strict=True):
        if block.kind == "diff":
            reader.edit(block.text)
        elif block.kind == "python":
            reader.write(block.place, block.text)
        elif block.kind in ("json", "text"):
            assert shows(block.text, printed), (
                f"{block.text}\nis shown, and this was printed:\n{printed}"
            )
        elif STAYS.match(block.text):
            printed = reader.start(block.text)
        else:
            printed, code = reader.run(block.text)
            fails = after is not None and after.kind == "text" and " failed" in after.text
            assert (code != 0) == fails, f"{block.text}{printed}"
    within(20, lambda: "worker.started" in reader.printed)


def test_no_listing_is_left_out() -> None:
    assert TUTORIAL.count("\n```") == 2 * len(BLOCKS)
    assert {block.kind for block in BLOCKS} == {"sh", "json", "text", "diff", "python"}


def shows(shown: str, printed: str) -> bool:
    """Whether this was printed, but for blanks and for what `…` leaves out."""
    parts = (re.escape("".join(part.split())) for part in shown.split("…"))
    return re.fullmatch(".*".join(parts), "".join(printed.split())) is not None
