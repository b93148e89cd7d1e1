"""Whether all of several lines can be had at once: judged together, with their products locked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from project.db import db
from project.errors import NotFound, Refusal, Refused
from project.products.models import MAX_STOCK, Product
from project.products.stock import holds

Line = Mapping[str, Any]  # of a product_id and a quantity at least


class BatchRefused(Refused):
    """Lines were refused, so none was written; `errors` names each of them."""

    code = "batch_refused"


def sums(lines: Sequence[Line]) -> dict[int, int]:
    """What the lines of each product come to."""
    totals: dict[int, int] = defaultdict(int)
    for line in lines:
        totals[line["product_id"]] += line["quantity"]
    return totals


def claim(lines: Sequence[Line], name: str, *, reserved: bool = False) -> dict[int, int]:
    """Lock the products and answer their stocks, if each can be moved by the sum of its lines.

    name: what the lines are called in the request.
    reserved: whether they have been, so that what is held does not stand in their way.
    Raises BatchRefused.
    """
    totals = sums(lines)
    stocks, watched = lock(totals)
    less = [id for id in watched if totals[id] < 0]
    held = holds.of(less) if less and not reserved else {}
    refused = dict(_judge(totals, stocks, held))
    if refused:
        raise _refuse(lines, name, refused)
    return stocks


def lock(ids: Collection[int]) -> tuple[dict[int, int], list[int]]:
    """Lock the products, in the order of their ids as all do: crossing batches never deadlock.

    Answers their stocks, and the ids of those of which some may be held.
    """
    found = select(Product.id, Product.stock, ~holds.free()).where(Product.id.in_(ids))
    held = found.order_by(Product.id).with_for_update(key_share=True)
    rows = db.session.execute(held).all()
    return {id: stock for id, stock, _ in rows}, [id for id, _, watched in rows if watched]


def _judge(
    totals: Mapping[int, int], stocks: Mapping[int, int], held: Mapping[int, int]
) -> Iterator[tuple[int, Refusal]]:
    """The products that cannot be moved so, each with the reason."""
    for id, total in totals.items():
        if id not in stocks:
            yield id, NotFound(f"Product with id {id} not found")
        elif not held.get(id, 0) <= stocks[id] + total <= MAX_STOCK:
            yield id, holds.refusal(stocks[id], total, held.get(id, 0))


def _refuse(lines: Sequence[Line], name: str, refused: Mapping[int, Refusal]) -> BatchRefused:
    errors = [
        {"in": "body", "field": f"{name}.{place}", "code": no.code, "message": no.sentence}
        for place, line in enumerate(lines)
        if (no := refused.get(line["product_id"]))
    ]
    count = "1 line was" if len(errors) == 1 else f"{len(errors)} lines were"
    return BatchRefused(f"{count} refused, and nothing was written; see errors.", errors=errors)
