"""Which rooms may be left out of a copy, what speaks of each, and who needs it."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

# What every project stands on; whatever else is a room may be left out.
BASICS = frozenset(
    [
        *("auth", "backup", "commands", "db", "embedded", "errors", "events", "features", "health"),
        *("http", "jobs", "logs", "mail", "meters", "metrics", "opaque", "origin", "scaffold"),
        *("serving", "sessions", "sheets", "sweeping", "telemetry", "users", "welcome"),
    ]
)


@dataclass(frozen=True)
class Traces:
    """What speaks of a room besides its own name: words, settings, and files of whole.

    instead: what has to be where when the room is gone.
    """

    words: str = ""
    settings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    instead: tuple[tuple[str, str], ...] = ()


GET_USER = '''

@blp.get("/<id:id>")
@blp.self_or_superuser
@blp.item(UserOut)
@blp.refuses(MISSING)
def get_user(id: int) -> User:
    """Get an account"""
    return service.get(id)
'''

TRACES: dict[str, Traces] = {
    "posts": Traces(
        words=r"\bposts\b|posts_|_posts|\bPost(?![a-z])|_post\b|\bpost_id|\bpost\.[a-z]|\bdrafts\b"
    ),
    "products": Traces(
        words=(
            r"(?<![A-Za-z])(?:[Pp]roducts?|PRODUCTS?(?![A-Z])|[Ss]tock|STOCK(?![A-Z])|[Ll]edger|[Cc]atalogue|[Mm]ovements?)"
            r"(?![a-z])|batch_refused|already_reversed|invoice"
        ),
        settings=("REQUIRE_IDEMPOTENCY_KEY",),
        files=(
            *("tests/bench*.py", "tests/house/test_bench.py", "tests/soak_migrations.py"),
            *("docs/benchmarks.md", "docs/catalogue/*"),
        ),
    ),
    "profiles": Traces(
        words=r"(?<![A-Za-z])[Pp]rofiles?(?![a-z])|list_posts_of_user|include=posts",
        instead=(("project/users/routes.py", GET_USER),),
    ),
    "reservations": Traces(words=r"(?<![A-Za-z])[Rr]eservations?(?![a-z])"),
    "uploads": Traces(
        words=r"(?:project|tests)[./]uploads|\bupload_pieces|\buploads_tasks\b|^uploads$|_uploads_"
    ),
    "webhooks": Traces(
        words=(
            r"(?<![A-Za-z])(?:[Ww]ebhooks?|WEBHOOKS?)(?![a-z])|rotate_secret|redeliver|deliveries"
            r"|get_delivery|list_deliveries|\bdelivery_id"
        ),
        settings=("WEBHOOK_PRIVATE_ADDRESSES",),
        files=("project/mail/templates/webhook_*", "tests/soak_webhooks.py"),
    ),
}


def words(rooms: Collection[str]) -> re.Pattern[str]:
    """What speaks of one of these rooms, in a name or in a text."""
    return re.compile("|".join(_words(room) for room in sorted(rooms)) or r"(?!)")


def _words(room: str) -> str:
    known = TRACES.get(room, Traces()).words
    if known:
        return known
    one = re.escape(room.removesuffix("s"))
    title = "".join(part.title() for part in room.removesuffix("s").split("_"))
    return rf"(?<![A-Za-z]){one}s?(?![a-z])|(?<![A-Za-z]){title}s?(?![a-z])"


def optional(project: Path) -> list[str]:
    """The rooms that may be left out."""
    there = (path.name for path in project.iterdir() if (path / "__init__.py").exists())
    return sorted(set(there) - BASICS)


def needing(project: Path, rooms: Iterable[str]) -> dict[str, set[str]]:
    """Who cannot do without these: each room that imports one, or one that does, with which."""
    gone, found = set(rooms), dict[str, set[str]]()
    imports = {room: _imports(project / room) for room in optional(project)}
    while more := {room: needed & gone for room, needed in imports.items() if room not in gone}:
        more = {room: needed for room, needed in more.items() if needed}
        if not more:
            break
        found |= more
        gone |= more.keys()
    return found


def referring(project: Path, rooms: Collection[str]) -> dict[str, str]:
    """Rooms that stay, and yet have a foreign key to a table of one of these: each with which."""
    tables = {
        table: room
        for room in rooms
        for table in re.findall(r'__tablename__ = "(\w+)"', _models(project / room))
    }
    return {
        stays: tables[table]
        for stays in optional(project)
        if stays not in rooms
        for table in re.findall(r'ForeignKey\(\s*"(\w+)\.', _models(project / stays))
        if table in tables
    }


def _models(room: Path) -> str:
    return "".join(path.read_text() for path in room.rglob("models.py"))


def _imports(room: Path) -> set[str]:
    """The rooms that the files of this one import from."""
    modules = [
        module
        for path in room.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for module in _modules(node)
    ]
    return {parts[1] for module in modules if len(parts := module.split(".")) > 1} - {room.name}


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module is not None:
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
        return []
    return [name for name in names if name.startswith("project.")]
