"""Migrations by what they are called: projects that left some out have numbered them anew."""

from __future__ import annotations

from config import ROOT


def revision(name: str) -> str:
    """The number of the migration whose name begins so."""
    [file] = (ROOT / "migrations" / "versions").glob(f"[0-9]*_{name}*.py")
    return file.name.partition("_")[0]


def before(name: str) -> str:
    """The number of the one before it."""
    return f"{int(revision(name)) - 1:04d}"
