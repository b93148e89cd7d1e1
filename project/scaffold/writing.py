"""Files that are written and deleted together: all of them, or none."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from project.errors import Refused

Plan = Mapping[str, str | None]  # by their place in the house: new contents; None deletes


def diff(root: Path, plan: Plan) -> Iterator[str]:
    """What carrying out the plan would change, as `git diff` shows it."""
    for name, text in plan.items():
        path = root / name
        before = path.read_text() if path.exists() else ""
        places = (f"a/{name}" if path.exists() else "/dev/null"), (f"b/{name}")
        yield from difflib.unified_diff(
            before.splitlines(keepends=True),
            (text or "").splitlines(keepends=True),
            places[0],
            "/dev/null" if text is None else places[1],
        )


def carry_out(root: Path, plan: Plan) -> None:
    """Write and delete; whatever stops it, all is as it was. Raises Refused."""
    before = {name: _contents(root / name) for name in plan}
    there = {parent for name in plan for parent in (root / name).parents if parent.exists()}
    try:
        for name, text in plan.items():
            _put(root / name, None if text is None else text.encode())
    except BaseException as error:
        for name, contents in before.items():
            with suppress(OSError):  # the disk that refused the first may refuse the way back
                _put(root / name, contents)
        for name in plan:
            _clear(root / name, there)
        if isinstance(error, OSError):
            said = f"{error.filename or root}: {error.strerror}"
            raise Refused(f"Nothing was written, since it failed half way ({said}).") from error
        raise
    for name, text in plan.items():
        if text is None:
            _clear(root / name, {root})


def _contents(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _put(path: Path, contents: bytes | None) -> None:
    """The file with these contents, or none; whoever reads sees the whole of one or the other."""
    if contents is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_bytes(contents)
        if path.exists():
            shutil.copymode(path, beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _clear(path: Path, keep: set[Path]) -> None:
    """Take away the folders of a file that is gone, unless something is left that was written."""
    for folder in path.parents:
        if folder in keep:
            return
        if folder.is_dir():
            if not {each.name for each in folder.iterdir()} <= {"__pycache__"}:
                return
            shutil.rmtree(folder)
