"""/stock/reservations: what is held for somebody, and what becomes of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select

from project.db import Lookup
from project.errors import NotFound
from project.http.blueprint import Blueprint
from project.products.stock.claims import BatchRefused
from project.reservations import service
from project.reservations.models import Reservation
from project.reservations.schemas import (
    ExtensionIn,
    ReservationIn,
    ReservationOut,
    ReservationQuery,
)

blp = Blueprint("reservations", __name__, description="Stock that is kept for somebody.")

UNKNOWN = NotFound("Reservation with id 9 not found")
CLOSED = service.Closed("Reservation 1 is committed; make a new one.")
LINES_REFUSED = BatchRefused(
    "1 line was refused, and nothing was written; see errors.",
    errors=[
        {
            "in": "body",
            "field": "lines.0",
            "code": "insufficient_stock",
            "message": "Insufficient stock. Current: 5, Reserved: 3, Requested: 4",
        }
    ],
)


@blp.get("/")
@blp.signed_in
@blp.page(ReservationOut, ReservationQuery, service.SORTABLE, order=service.NEWEST)
def list_reservations(**query: Any) -> Select[Reservation]:
    """List reservations, the newest first"""
    return service.search(**query)


@blp.post("/")
@blp.signed_in
@blp.once_for("stock")
@blp.arguments(ReservationIn)
@blp.created(ReservationOut, at="reservations.get_reservation")
@blp.refuses(LINES_REFUSED)
def create_reservation(values: dict[str, Any]) -> Reservation:
    """Hold pieces of some products for a while, all of them or nothing

    Nobody else can take them until they are released or the time is over. Lines of one product are
    summed before they are judged.
    """
    return service.create(**values)


@blp.get("/<id:id>")
@blp.signed_in
@blp.item(ReservationOut)
@blp.refuses(UNKNOWN)
def get_reservation(id: int) -> Lookup[Reservation]:
    """Get a reservation"""
    return service.find(id)


@blp.post("/<id:id>/commit")
@blp.signed_in
@blp.once_for("stock")
@blp.item(ReservationOut)
@blp.refuses(UNKNOWN, CLOSED, LINES_REFUSED)
def commit_reservation(id: int) -> Reservation:
    """Take what is held from the stock: a movement for each line

    Once: the second time is a conflict, and so it is when its time is over.
    """
    return service.take(id)


@blp.post("/<id:id>/release")
@blp.signed_in
@blp.once_for("stock")
@blp.item(ReservationOut)
@blp.refuses(UNKNOWN, CLOSED)
def release_reservation(id: int) -> Reservation:
    """Hold it no longer

    Doing it again changes nothing; when it is committed or its time is over it is a conflict.
    """
    return service.release(id)


@blp.post("/<id:id>/extend")
@blp.signed_in
@blp.once_for("stock")
@blp.arguments(ExtensionIn)
@blp.item(ReservationOut)
@blp.refuses(UNKNOWN, CLOSED)
def extend_reservation(values: dict[str, Any], id: int) -> Reservation:
    """Hold it for so many seconds from now, however long it would have been"""
    return service.extend(id, **values)
