"""What stands in this checkout: its rooms, its names, and what git knows of it."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from project.errors import Refused
from project.scaffold import layout
from project.scaffold.names import Names, shown

COMMAND = re.compile(r"^flask new resource (.+?)^\"\"\"", re.MULTILINE | re.DOTALL)
MODEL = re.compile(
    r'^class (\w+)\(Item\):.*?^    __tablename__ = "(\w+)"', re.MULTILINE | re.DOTALL
)
DEFINED = re.compile(r"^(?:class|def) (\w+)", re.MULTILINE)
MADE = re.compile(r"^def make_(\w+)\(", re.MULTILINE)


@dataclass(frozen=True)
class House:
    """The checkout at `root`."""

    root: Path

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    @cached_property
    def rooms(self) -> dict[str, str]:
        """What one of them is called, by the names of the rooms that others may refer to.

        Those that keep an Item in a table of their own name, and whose tests can make one.
        """
        found = {}
        for path in sorted((self.root / "project").glob("*/models.py")):
            many, make = path.parent.name, self.root / "tests" / path.parent.name / "make.py"
            tables = {table for _, table in MODEL.findall(path.read_text())}
            made = MADE.findall(make.read_text()) if make.exists() else []
            if many in tables and made:
                found[many] = made[0]
        return found

    def find(self, called: str) -> tuple[str, str, str]:
        """What a room is called in code, its table, and in words; by either of its names."""
        for many, one in self.rooms.items():
            if called in (one, many):
                return one, many, one.replace("_", " ")
        known = ", ".join(sorted(self.rooms.values()))
        raise Refused(
            f"There is no '{shown(called)}' to refer to; there are {known}. Write the field as "
            "NAME:ref(ROOM) where it is called otherwise."
        )

    def command(self, many: str) -> list[str] | None:
        """The words behind `flask new resource` that wrote this room; None if they did not."""
        sign = self.root / "project" / many / "__init__.py"
        said = COMMAND.search(sign.read_text()) if sign.exists() else None
        return said and shlex.split(said[1])

    def knows(self, many: str) -> bool:
        """Whether the room is, or when all was committed last was, one written by command."""
        was = self.committed(f"project/{many}/__init__.py") or ""
        return self.command(many) is not None or COMMAND.search(was) is not None

    @cached_property
    def written(self) -> list[str]:
        """The rooms that were written by command."""
        signs = sorted((self.root / "project").glob("*/__init__.py"))
        return [name for name in (path.parent.name for path in signs) if self.command(name)]

    def judge(self, names: Names) -> None:
        """Raise Refused where something is called so already."""
        places = [f"{top}/{names.many}{end}" for top in ("project", "tests") for end in ("", ".py")]
        for place in places:
            if (self.root / place).exists():
                raise Refused(f"{place} is there already; choose another name, or a --plural.")
        if names.many in layout.names(self.read("project/features.py")):
            said = f"'{names.many}' means something else in project/features.py"
            raise Refused(f"{said}; choose another name, or a --plural.")
        ours = [names.model, *(f"{names.model}{end}" for end in ("In", "Out", "Patch", "Query"))]
        ours += [f"{names.model}Page", f"list_{names.many}", f"get_{names.one}"]
        ours += [f"{verb}_{names.one}" for verb in ("create", "put", "patch", "delete", "restore")]
        doors = ("models.py", "routes.py", "schemas.py")
        for path in sorted(path for door in doors for path in (self.root / "project").rglob(door)):
            if taken := sorted({*DEFINED.findall(path.read_text())} & {*ours}):
                raise Refused(
                    f"{path.relative_to(self.root)} has a {taken[0]} already; choose another name."
                )
        if f'"{names.address}' in self.read("project/features.py"):
            raise Refused(f"{names.address} leads to another room already; choose a --plural.")

    def last_migration(self) -> str:
        """The revision that is the last now."""
        folder = self.root / "migrations" / "versions"
        last = max(path.stem for path in folder.glob("*.py"))
        found = re.search('^revision = "(.+)"$', (folder / f"{last}.py").read_text(), re.MULTILINE)
        if found is None:
            raise Refused(f"migrations/versions/{last}.py has no revision; mend it first.")
        return found[1]

    def committed(self, name: str) -> str | None:
        """The file as it was committed last; None if it never was, or git is not there."""
        return self._git("show", f"HEAD:./{name}")

    def _git(self, *arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(self.root), *arguments],
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError:  # no git, so nothing was committed
            return None
        return done.stdout if done.returncode == 0 else None
