"""flask products: the catalogue from the command line."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict
from tempfile import TemporaryFile
from typing import Any, TextIO, TypeVar

import click

from project.commands import Group, opened, printable
from project.db import transaction
from project.products import bulk
from project.products.schemas import validate_row

Command = TypeVar("Command", bound=Callable[..., Any])

products = Group("products", help="The catalogue.")


def column_options(command: Command) -> Command:
    """An option for each field: what the header calls it."""
    for field in reversed(bulk.FIELDS):
        spelled = f"--{field.replace('_', '-')}-column"
        help = f"The column that holds {field}; '{field}' if not given."
        command = click.option(spelled, field, metavar="NAME", help=help)(command)
    return command


@products.command("import")
@click.argument("path", metavar="FILE")
@column_options
@click.option("--update", is_flag=True, help="Change the products that are there already.")
@click.option("--skip-refused", is_flag=True, help="Keep the good rows if some are refused.")
@click.option("--dry-run", is_flag=True, help="Report what would happen, and write nothing.")
def import_(
    path: str, update: bool, skip_refused: bool, dry_run: bool, **columns: str | None
) -> None:
    """Take a CSV file of products into the catalogue: every row, or nothing.

    FILE is in UTF-8, separated by commas, with a header; - reads standard input.
    """
    named = {field: column for field, column in columns.items() if column is not None}
    with TemporaryFile("w+", encoding="utf-8") as report:  # shown when no row is locked any more
        with opened(path) as (file, seen), transaction():
            sheet = bulk.Sheet(file, named, seen)
            how = {"update": update, "skip_refused": skip_refused, "dry_run": dry_run}
            with bulk.loading(sheet, validate_row, **how) as (loaded, _):
                write(report, sheet, loaded)
        report.seek(0)
        shutil.copyfileobj(report, sys.stdout)
    failed = loaded.refused > 0 and not skip_refused
    if dry_run:
        click.echo("Nothing was written: this was a dry run.")
    elif failed:
        click.echo("Nothing was written, as rows were refused; --skip-refused keeps the good ones.")
    if failed:
        raise SystemExit(1)


def write(report: TextIO, sheet: bulk.Sheet, loaded: bulk.Loaded) -> None:
    """A line for each reason to refuse a row, then the sum."""
    for line, field, code, message in bulk.refusals():
        where = f"line {line}: {field}: " if field else f"line {line}: "
        report.write(f"{where}{printable(message)} ({code})\n")
    if sheet.ignored:
        report.write(f"Ignored columns: {', '.join(map(repr, sheet.ignored))}.\n")
    counts = asdict(loaded)
    said = ", ".join(f"{count:,} {what}" for what, count in counts.items())
    total = sum(counts.values())
    report.write(f"{total:,} {'row' if total == 1 else 'rows'}: {said}.\n")
