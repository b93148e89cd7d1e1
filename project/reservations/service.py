"""What can be done with reservations: make them, and close them or keep them longer.

Whoever closes or extends one locks it, then its products, as whoever makes one does: from then on
nobody sells of them, so whether its time is over is judged with nobody in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, update

from project import origin
from project.db import Lookup, announce, db, fetch, revise_if, save
from project.errors import Conflict
from project.products.models import Hold
from project.products.stock import batch, claims, holds
from project.reservations.models import STATUSES, Reservation

SORTABLE: dict[str, Any] = {"id": Reservation.id, "expires_at": Reservation.expires_at}
NEWEST = "-id"
OPEN = Reservation.outcome.is_(None) & (Reservation.expires_at > func.clock_timestamp())


class Closed(Conflict):
    """There is nothing left of it to be committed, released or extended."""

    code = "reservation_closed"


def search(
    status: str | None = None, product_id: int | None = None, reference: str | None = None
) -> Select[Reservation]:
    """The reservations that answer the question."""
    found = select(Reservation)
    if status is not None:
        found = found.where(STATUSES[status])
    if product_id is not None:
        of = select(Hold.reservation_id).where(Hold.product_id == product_id)
        found = found.where(Reservation.id.in_(of))
    if reference is not None:
        found = found.where(Reservation.reference == reference)
    return found


def find(id: int) -> Lookup[Reservation]:
    """A reservation."""
    return Lookup(Reservation, id)


def create(
    lines: Sequence[claims.Line], ttl_seconds: int, reference: str | None = None
) -> Reservation:
    """Hold these lines for so many seconds, or none of them; raises BatchRefused."""
    less = [{**line, "quantity": -line["quantity"]} for line in lines]
    ids = claims.claim(less, "lines")
    actor_id = origin.current().actor_id
    values = {"reference": reference, "actor_id": actor_id, "expires_at": _in(ttl_seconds)}
    made = save(Reservation(**values, lines=[]))
    made.lines.extend(Hold(**line, until=made.expires_at) for line in lines)
    db.session.flush()
    holds.renew(ids)
    told = [{"product_id": line.product_id, "quantity": line.quantity} for line in made.lines]
    announce("reservation.created", reservation_id=made.id, reference=reference, lines=told)
    return made


def take(id: int) -> Reservation:
    """Commit it: what is held leaves the stock; raises BatchRefused, and Closed the second time.

    It may be refused where less is there than was promised, since counting tells the truth.
    """
    committed = _close(_locked(id), "committed")
    told = {"reason": "reservation", "reference": committed.reference or f"reservation {id}"}
    lines = [
        {"product_id": line.product_id, "quantity": -line.quantity, **told}
        for line in committed.lines
    ]
    movements = batch.write(lines, name="lines", reserved=True)
    committed.movement_ids = [movement.id for movement in movements]
    db.session.flush()
    announce("reservation.committed", reservation_id=id, movement_ids=committed.movement_ids)
    return committed


def release(id: int) -> Reservation:
    """Hold it no longer; raises Closed. Doing it again changes nothing."""
    reservation = _locked(id)
    if reservation.outcome == "released":
        return reservation
    released = _close(reservation, "released")
    announce("reservation.released", reservation_id=id)
    return released


def extend(id: int, ttl_seconds: int) -> Reservation:
    """Hold it for so many seconds from now; raises Closed."""
    extended = _revised(_locked(id), {"expires_at": _in(ttl_seconds)})
    _hold_until(extended, extended.expires_at)
    announce("reservation.extended", reservation_id=id)
    return extended


def _in(seconds: int) -> ColumnElement[Any]:
    return func.clock_timestamp() + timedelta(seconds=seconds)


def _locked(id: int) -> Reservation:
    """A reservation and its products, locked in this order by all."""
    reservation = fetch(Reservation, id, lock=True)
    claims.lock({line.product_id for line in reservation.lines})
    return reservation


def _close(reservation: Reservation, outcome: str) -> Reservation:
    closed = _revised(reservation, {"outcome": outcome})
    _hold_until(closed, None)
    return closed


def _revised(reservation: Reservation, values: dict[str, Any]) -> Reservation:
    """Change what is open, as the statement that changes it judges; raises Closed."""
    revised = revise_if(OPEN, Reservation, reservation.id, values)
    if revised is None:
        how = reservation.outcome or "expired"
        raise Closed(f"Reservation {reservation.id} is {how}; make a new one.")
    return revised


def _hold_until(reservation: Reservation, until: Any) -> None:
    own = update(Hold).where(Hold.reservation_id == reservation.id).values(until=until)
    db.session.execute(own, execution_options={"synchronize_session": False})
    holds.renew({line.product_id for line in reservation.lines})
