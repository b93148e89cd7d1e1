"""How many products there are, without counting them.

Triggers keep it, in as many rows as transactions that counted were ever open at once. A read in
the statement of a page is of the page's snapshot: exact, whatever is under way.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ColumnElement, cast, func, select

from project.products.models import product_counts


def total(active_only: bool) -> ColumnElement[int]:
    """The number of all products, or of the active ones."""
    return _sum(product_counts.c.active if active_only else product_counts.c.total)


def version() -> ColumnElement[int]:
    """Another number after every insert, delete, renaming, deactivation and restoring.

    Snapshots are in one order, each sees all that those before it saw, and each commit that counts
    adds 1 or more: the sum of a later one is greater. So as long as it is the same, so are totals.
    """
    return _sum(product_counts.c.version)


def _sum(column: Column[int]) -> ColumnElement[int]:
    summed = func.coalesce(func.sum(column), 0)  # which is numeric
    return select(cast(summed, BigInteger)).scalar_subquery()
