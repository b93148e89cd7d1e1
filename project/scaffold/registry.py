"""Where a room is named: the table of contents, and the import contracts."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Callable

from project.errors import Refused
from project.scaffold.names import Names

FEATURES = "project/features.py"
CONTRACTS = "pyproject.toml"
FLOOR = re.compile(r'^    "(?=.*\bhealth\b)([a-z_ |]+)",$', re.MULTILINE)
CONTAINERS = re.compile(r'^containers = \[("project\.[^\]\n]+)\]$', re.MULTILINE)


def register(path: str, text: str, names: Names) -> str:
    """The file with the room; raises Refused where its place is not found."""
    if path == FEATURES:
        return _featured(text, names)
    text = _listed(text, FLOOR, " | ", lambda names: names.many, names)
    return _listed(text, CONTAINERS, ", ", lambda names: f'"project.{names.many}"', names)


def unregister(path: str, text: str, names: Names) -> str:
    """The file without the room, and else as it was."""
    if path == FEATURES:
        for line in (imported(names), entry(names)):
            text = text.replace(f"{line}\n", "", 1)
        return text
    text = _unlisted(text, FLOOR, " | ", names.many)
    return _unlisted(text, CONTAINERS, ", ", f'"project.{names.many}"')


def imported(names: Names) -> str:
    """The line that brings the room into the table of contents."""
    return f"from project.{names.many} import routes as {names.many}"


def entry(names: Names) -> str:
    """Its line there."""
    return f'    Room({names.many}.blp, "{names.address}"),'


def _featured(text: str, names: Names) -> str:
    lines = text.splitlines()
    imports = [n for n, line in enumerate(lines) if line.startswith("from project")]
    rooms = [n for n, line in enumerate(lines) if line.startswith("    Room(commands=")]
    if not imports or not rooms:
        raise Refused(f"{FEATURES} has no place for another room: no line begins Room(commands=.")
    line = imported(names)
    before = [n for n in imports if lines[n].split()[1] < line.split()[1]]
    lines.insert(rooms[0], entry(names))
    lines.insert((before or [imports[0] - 1])[-1] + 1, line)
    return "\n".join(lines) + "\n"


def _listed(
    text: str, place: re.Pattern[str], joint: str, spell: Callable[[Names], str], names: Names
) -> str:
    found, spelled = place.search(text), spell(names)
    if found is None:
        raise Refused(f"{CONTRACTS} names no rooms where {spelled} would stand; mend it first.")
    parts = found[1].split(joint)
    parts.insert(bisect(parts, spelled), spelled)
    return text[: found.start(1)] + joint.join(parts) + text[found.end(1) :]


def _unlisted(text: str, place: re.Pattern[str], joint: str, spelled: str) -> str:
    found = place.search(text)
    if found is None:
        return text
    parts = [part for part in found[1].split(joint) if part != spelled]
    return text[: found.start(1)] + joint.join(parts) + text[found.end(1) :]
