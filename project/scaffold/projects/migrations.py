"""Migrations of a database that is new: without the tables of the rooms that are left out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from project.scaffold.projects.pruning import prune

TRIGRAMS = re.compile(r"pg_trgm|TRIGRAM|EXTENSION")


def thin(versions: Path, words: re.Pattern[str]) -> None:
    """Take out what speaks of them; what does nothing then goes, the others are numbered anew."""
    paths = sorted(versions.glob("*.py"))
    sources = {path: prune(path.read_text(), words).source for path in paths}
    if not any("gin_trgm_ops" in it for it in sources.values() if "def upgrade(" in it):
        sources = {path: prune(source, TRIGRAMS).source for path, source in sources.items()}
    left = [source for source in sources.values() if "def upgrade(" in source]
    for path in paths:
        path.unlink()
    before = "None"
    for number, source in enumerate(left, start=1):
        revision, title = f'"{number:04d}"', _title(source, words)
        source = re.sub(r'^""".*?"""', f'"""{title}"""', source, count=1, flags=re.DOTALL)
        source = re.sub(r"^revision = .*$", f"revision = {revision}", source, flags=re.MULTILINE)
        source = re.sub(
            r"^down_revision = .*$", f"down_revision = {before}", source, flags=re.MULTILINE
        )
        slug = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:40]
        (versions / f"{number:04d}_{slug}.py").write_text(source)
        before = revision


def _title(source: str, words: re.Pattern[str]) -> str:
    """What it does, by its own sentence, without the parts that speak of them."""
    whole = ast.get_docstring(ast.parse(source)) or ""
    if not words.search(whole):
        return whole
    parts = [part for part in re.split(r"; | and |, ", whole) if not words.search(part)]
    return " and ".join(parts) or "the rest"
