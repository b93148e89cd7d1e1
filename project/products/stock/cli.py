"""flask stock: the ledger from the command line."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import click

from project.commands import Group, opened, printable
from project.db import transaction
from project.errors import Invalid
from project.http.body import load
from project.products.stock import audit
from project.products.stock.replay import Line, Replay
from project.products.stock.schemas import InvoiceRow, NameRow
from project.sheets import Sheet

COLUMNS = {"invoice": "Invoice", "code": "StockCode", "quantity": "Quantity"}
NAMES = {"code": "StockCode", "name": "Description"}

stock = Group("stock", help="The ledger of stock.")


@stock.command()
def verify() -> None:
    """Recompute every balance of the ledger; exit with 1 if a product differs."""
    products = movements = wrong = 0
    with transaction():
        for account in audit.accounts():
            products += 1
            movements += account.movements
            if not account.is_right:
                wrong += 1
                click.echo(difference(account))
    click.echo(f"{products:,} products, {movements:,} movements: {wrong:,} differ.")
    raise SystemExit(1 if wrong else 0)


def division(_: click.Context, __: click.Parameter, given: str) -> tuple[int, int]:
    """`2/4` as the second of four."""
    found = re.fullmatch(r"([1-9][0-9]?)/([1-9][0-9]?)", given, re.ASCII)
    if found is None or int(found[1]) > int(found[2]):
        raise click.BadParameter("must be such as 1/4: the first of four parts, of 99 at most.")
    return int(found[1]), int(found[2])


@stock.command()
@click.argument("path", metavar="FILE")
@click.option(
    "--names",
    metavar="FILE",
    help="A CSV file with StockCode and Description: what the product of a code is called.",
)
@click.option(
    "--part",
    metavar="K/N",
    default="1/1",
    callback=division,
    help="Only the K-th of N parts; processes of their own can replay them at once.",
)
def replay(path: str, names: str | None, part: tuple[int, int]) -> None:
    """Feed the lines of invoices through the ledger: what left the shelf by FILE leaves it.

    FILE is CSV, perhaps packed (.gz), with Invoice, StockCode and Quantity. The product of a line
    has the stock code as its name, if --names says nothing else. The lines of an invoice are moved
    together or not at all, a hundred at most. A replay that was stopped goes on where it was.
    """
    malformed = Counter[str]()
    reason = f"replay of {Path(path).name}"[:255]
    replayed = Replay(digest(path), reason, named(names) if names else {}, *part)
    with transaction():
        replayed.resume()
    if replayed.line:
        click.echo(f"Going on after line {replayed.line:,}.")
    with opened(path) as (file, seen):
        sheet = Sheet(file, tuple(COLUMNS), COLUMNS, COLUMNS, seen)
        for batch in replayed.batches(lines(sheet, replayed.line, malformed)):
            if (refusal := replayed.write(batch)) is not None:
                words = "; ".join(dict.fromkeys(no["message"] for no in refusal.members["errors"]))
                click.echo(
                    f"line {batch[0].number}: invoice {printable(batch[0].invoice)}: {words}"
                )
    if replayed.unknown:
        most = ", ".join(printable(code) for code, _ in replayed.unknown.most_common(20))
        click.echo(f"Stock codes without a product: {len(replayed.unknown):,}, such as {most}.")
    unknown = replayed.unknown.total()
    click.echo(
        f"{replayed.moved:,} lines moved, {replayed.refused:,} refused, "
        f"{unknown:,} without a product, {malformed.total():,} malformed."
    )


def lines(sheet: Sheet, after: int, malformed: Counter[str]) -> Iterator[Line]:
    """The lines of a file, but for those that are none, which are told and counted."""
    schema = InvoiceRow()
    for number, cells in sheet.rows():
        if number > after:
            try:
                yield Line(number, **load(schema, sheet.document(cells), "row"))
            except Invalid as refusal:
                click.echo(f"line {number}: {printable(refusal.sentence)}")
                malformed["lines"] += 1


def named(path: str) -> dict[str, str]:
    """What the products of stock codes are called; rows without a name are left out."""
    schema, found = NameRow(), {}
    with opened(path) as (file, seen):
        sheet = Sheet(file, tuple(NAMES), NAMES, NAMES, seen)
        for _, cells in sheet.rows():
            with suppress(Invalid):
                row = load(schema, sheet.document(cells), "row")
                found[row["code"]] = row["name"]
    return found


def digest(path: str) -> bytes:
    """SHA-256 of what is in a file."""
    whole = hashlib.sha256()
    with opened(path) as (file, seen):
        for piece in iter(partial(file.read, 1_000_000), b""):
            whole.update(piece)
            seen(len(piece))
    return whole.digest()


def difference(account: audit.Account) -> str:
    """What is wrong with a product's balance, in one line."""
    named = f"Product {account.product_id} ({printable(account.name)})"
    if account.stock != account.total:
        return f"{named}: stock is {account.stock}, its movements add up to {account.total}."
    return f"{named}: movement {account.wrong} has another balance than the movements up to it."
