"""What came of a file: told whole to a terminal, and within bounds to a program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

from project.db import savepoint
from project.products.bulk import staging
from project.products.bulk.merge import Loaded, load
from project.products.bulk.sheet import Sheet
from project.products.bulk.staging import Rules

TOLD = 1_000  # refusals in a report
COLUMNS = 100  # ignored ones in a report, each cut to as many characters


class NothingWritten(Exception):
    """Undoes an import whose report is all that is wanted of it."""


@dataclass(frozen=True)
class Report:
    """What was, or would be, done with the rows of a file."""

    rows: int
    new: int
    changed: int
    unchanged: int
    refused: int
    written: bool
    ignored_columns: list[str]
    refusals: list[dict[str, Any]]
    refusals_omitted: int


@contextmanager
def loading(
    sheet: Sheet,
    validate: Rules,
    *,
    update: bool = False,
    skip_refused: bool = False,
    dry_run: bool = False,
) -> Iterator[tuple[Loaded, bool]]:
    """Load a file, and say whether that stays: a dry run and refused rows are undone at the end.

    Until then `staging.refusals()` tells why rows are refused.
    """
    with suppress(NothingWritten), savepoint():
        loaded = load(sheet, validate, update=update)
        written = not dry_run and (skip_refused or not loaded.refused)
        yield loaded, written
        if not written:
            raise NothingWritten


def take(sheet: Sheet, validate: Rules, **how: bool) -> Report:
    """Load a file, and report what came of it. See `loading`."""
    with loading(sheet, validate, **how) as (loaded, written):
        refusals = [dict(row._mapping) for row in staging.refusals(TOLD)]
        omitted = staging.reasons() - len(refusals)
    counts = asdict(loaded)
    return Report(
        rows=sum(counts.values()),
        **counts,
        written=written,
        ignored_columns=[name[:COLUMNS] for name in sheet.ignored[:COLUMNS]],
        refusals=refusals,
        refusals_omitted=omitted,
    )
