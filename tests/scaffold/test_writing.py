"""All files or none, whatever goes wrong on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from project.errors import Refused
from project.scaffold import writing

PLAN = {"old.py": "new\n", "gone/only.py": None, "made/in/x.py": "x\n", "made/in/y.py": "y\n"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "old.py").write_text("old\n")
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "only.py").write_text("only\n")
    (tmp_path / "gone" / "__pycache__").mkdir()
    return tmp_path


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text() if path.is_file() else "a folder"
        for path in sorted(folder.rglob("*"))
    }


def test_a_plan_is_carried_out_whole(folder: Path) -> None:
    writing.carry_out(folder, PLAN)
    assert contents(folder) == {
        **dict.fromkeys(["made", "made/in"], "a folder"),
        "made/in/x.py": "x\n",
        "made/in/y.py": "y\n",
        "old.py": "new\n",
    }


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("nth", range(3))
def test_what_fails_half_way_leaves_all_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch, nth: int, error: BaseException
) -> None:
    before, replace, done = contents(folder), Path.replace, []

    def failing(self: Path, target: Path) -> Path:
        done.append(target)
        if len(done) == nth + 1:
            raise error
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(Refused if isinstance(error, OSError) else KeyboardInterrupt):
        writing.carry_out(folder, PLAN)
    assert contents(folder) == before


def test_a_file_in_the_way_of_a_folder_is_told_in_one_sentence(folder: Path) -> None:
    before = contents(folder)
    with pytest.raises(Refused, match="Nothing was written, since it failed half way"):
        writing.carry_out(folder, {"new.py": "x\n", "old.py/x.py": "x\n"})
    assert contents(folder) == before


def test_a_folder_with_something_else_in_it_stays(folder: Path) -> None:
    (folder / "gone" / "notes.txt").write_text("mine")
    writing.carry_out(folder, {"gone/only.py": None})
    assert (folder / "gone" / "notes.txt").read_text() == "mine"


def test_a_file_keeps_its_mode(folder: Path) -> None:
    (folder / "old.py").chmod(0o640)
    writing.carry_out(folder, {"old.py": "new\n"})
    assert (folder / "old.py").stat().st_mode & 0o777 == 0o640


def test_a_diff_shows_it_all_and_changes_nothing(folder: Path) -> None:
    before = contents(folder)
    shown = "".join(writing.diff(folder, PLAN))
    assert "--- a/old.py\n+++ b/old.py\n" in shown
    assert "--- /dev/null\n+++ b/made/in/x.py\n" in shown
    assert "--- a/gone/only.py\n+++ /dev/null\n" in shown
    assert contents(folder) == before
