"""/stock and /products/{id}/stock: the ledger, and what it adds up to."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select

from project.db import Lookup, Shape
from project.errors import Conflict, NotFound, Refused
from project.http.blueprint import Blueprint
from project.products.stock import service
from project.products.stock.models import Movement
from project.products.stock.schemas import (
    BatchIn,
    BatchOut,
    CountIn,
    MovementIn,
    MovementOut,
    MovementQuery,
    StockAt,
    StockOut,
)

blp = Blueprint("stock", __name__, description="Stock, and the ledger that it adds up to.")

MISSING = NotFound("Product with id 9 not found")
UNKNOWN = NotFound("Movement with id 9 not found")
SOLD_OUT = Refused("Insufficient stock. Current: 5, Requested: 10", code="insufficient_stock")
RESERVED = Refused(
    "Insufficient stock. Current: 5, Reserved: 3, Requested: 4", code="insufficient_stock"
)
TOO_MUCH = Refused("Stock would exceed 2147483647", code="stock_limit")
UNEXPECTED = service.StockMoved("The stock of product 1 is 5 now; read it again")
REVERSED = Conflict("Movement 1 has been reversed already", code="already_reversed")
LINES_REFUSED = service.BatchRefused(
    "1 line was refused, and nothing was written; see errors.",
    errors=[
        {
            "in": "body",
            "field": "movements.0",
            "code": "insufficient_stock",
            "message": "Insufficient stock. Current: 5, Requested: 10",
        }
    ],
)


@blp.get("/products/<id:id>/stock")
@blp.signed_in
@blp.arguments(StockAt, "query")
@blp.document(StockOut)
@blp.refuses(MISSING)
def get_stock(id: int, **query: Any) -> service.Balance:
    """Get the stock of a product, now or at any past instant"""
    return service.balance(id, **query)


@blp.get("/products/<id:id>/stock/movements/")
@blp.signed_in
@blp.page(MovementOut, MovementQuery, service.SORTABLE, order=service.NEWEST)
@blp.refuses(MISSING)
def list_movements_of_product(id: int, **query: Any) -> Select[Movement]:
    """List the movements of a product, the newest first"""
    return service.of_product(id, **query)


@blp.post("/products/<id:id>/stock/movements/")
@blp.signed_in
@blp.once_for("stock")
@blp.arguments(MovementIn)
@blp.created(MovementOut, at="stock.get_movement", shaped=True)
@blp.refuses(SOLD_OUT, RESERVED, TOO_MUCH, MISSING, UNEXPECTED)
def create_movement(values: dict[str, Any], id: int, shape: Shape) -> Any:
    """Add to the stock of a product, or take from it, for a reason"""
    return service.adjust(id, answer=(Movement, shape), **values).answer


@blp.post("/products/<id:id>/stock/count")
@blp.signed_in
@blp.once_for("stock")
@blp.arguments(CountIn)
@blp.created(MovementOut, at="stock.get_movement")
@blp.or_document(StockOut, service.Balance)
@blp.refuses(MISSING)
def count_stock(values: dict[str, Any], id: int) -> Movement | service.Balance:
    """Set the stock of a product to what was counted

    The difference becomes a movement; where there is none, nothing is written and the stock is
    answered.
    """
    return service.count(id, **values) or service.balance(id)


@blp.get("/stock/movements/")
@blp.signed_in
@blp.page(MovementOut, MovementQuery, service.SORTABLE, order=service.NEWEST)
def list_movements(**query: Any) -> Select[Movement]:
    """List movements of all products, the newest first"""
    return service.search(**query)


@blp.post("/stock/movements/batch")
@blp.signed_in
@blp.once_for("stock")
@blp.arguments(BatchIn)
@blp.created(BatchOut, at="stock.get_movement")
@blp.refuses(LINES_REFUSED)
def create_movements(values: dict[str, Any]) -> service.Batch:
    """Move the stock of many products, all of it or nothing

    Lines of one product are summed before they are judged. `Location` and `ETag` are those of the
    first movement.
    """
    return service.move(values.pop("movements"), **values)


@blp.get("/stock/movements/<id:id>")
@blp.signed_in
@blp.item(MovementOut)
@blp.refuses(UNKNOWN)
def get_movement(id: int) -> Lookup[Movement]:
    """Get a movement"""
    return service.find(id)


@blp.post("/stock/movements/<id:id>/reverse")
@blp.signed_in
@blp.once_for("stock")
@blp.created(MovementOut, at="stock.get_movement", shaped=True)
@blp.refuses(SOLD_OUT, RESERVED, TOO_MUCH, UNKNOWN, REVERSED)
def reverse_movement(id: int, shape: Shape) -> Any:
    """Take a movement back, by its opposite

    Once: the second time is a conflict.
    """
    return service.reverse(id, answer=(Movement, shape)).answer
