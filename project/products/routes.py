"""/products: the catalogue, its search and its stock."""

from __future__ import annotations

from typing import IO, Any

from sqlalchemy import Select

from project.db import Lookup, Shape
from project.errors import NotFound, Refused, Stale
from project.http import etag
from project.http.blueprint import Blueprint
from project.jobs.schemas import JobOut
from project.products import bulk, service
from project.products.models import Product
from project.products.schemas import (
    ImportReport,
    LowQuery,
    ProductImport,
    ProductIn,
    ProductOut,
    ProductPatch,
    ProductQuery,
    ProductSearch,
    StockQuery,
    validate_row,
)
from project.products.stock import service as stock
from project.products.stock.routes import RESERVED, SOLD_OUT, TOO_MUCH
from project.products.stock.routes import blp as ledger
from project.sheets import Malformed

blp = Blueprint("products", __name__, description="The catalogue.")

TAKEN = Refused(
    "Product with name 'Desk lamp' already exists",
    code="duplicate_name",
    conflict={"id": 1, "is_active": True},
)
MALFORMED = Malformed("There is no column 'price'; the header has 'name', 'stock'.")
EXPORTED = ("id", *bulk.FIELDS, "created_at", "updated_at")
MISSING = NotFound("Product with id 9 not found")
MOVED_ON = Stale('Product 1 has changed, its ETag is "1-3" now; read it again')


@blp.get("/")
@blp.public
@blp.page(ProductOut, ProductQuery, service.SORTABLE, counts=service.COUNTS)
def list_products(**query: Any) -> Select[Product]:
    """List products"""
    return service.search(**query)


@blp.get("/search/")
@blp.public
@blp.page(ProductOut, ProductSearch, service.SORTABLE, counts=service.COUNTS)
def search_products(**query: Any) -> Select[Product]:
    """Search products by a part of their name

    Upper and lower case do not matter; `%`, `_` and `\\` mean themselves.
    """
    return service.search(**query)


@blp.get("/export")
@blp.signed_in
@blp.download(ProductOut, ProductQuery, EXPORTED, "products")
def export_products(**query: Any) -> Select[Product]:
    """Export products to a file

    As of one moment, whatever others change meanwhile. A CSV file can be imported again as it is,
    unless it was neutralised for spreadsheets.
    """
    return service.search(**query)


@blp.post("/import")
@blp.signed_in
@blp.once
@blp.upload("text/csv", "name,price,stock\nDesk lamp,29.90,12\n")
@blp.arguments(ProductImport, "query")
@blp.queued(JobOut)
@blp.or_document(ImportReport, bulk.Report)
@blp.refuses(MALFORMED)
def import_products(file: IO[bytes], dry_run: bool, **how: Any) -> Any:
    """Import products from a CSV file

    In UTF-8, separated by commas, with a header. A dry run answers the report at once; otherwise a
    job does it, whose `result` is the same report. One refused row and nothing is written, unless
    `skip_refused` keeps the good ones.
    """
    return bulk.preview(file, validate_row, **how) if dry_run else bulk.queue(file, **how)


@blp.post("/")
@blp.signed_in
@blp.once
@blp.arguments(ProductIn)
@blp.created(ProductOut, at="products.get_product", shaped=True)
@blp.refuses(TAKEN)
def create_product(values: dict[str, Any], shape: Shape) -> Any:
    """Create a product"""
    return service.create(values, shape).answer


@blp.get("/<id:id>")
@blp.public
@blp.item(ProductOut)
@blp.refuses(MISSING)
def get_product(id: int) -> Lookup[Product]:
    """Get a product, inactive or not"""
    return service.find(id)


@blp.put("/<id:id>")
@blp.signed_in
@blp.arguments(ProductPatch)
@blp.item(ProductOut)
@blp.refuses(TAKEN, MISSING, MOVED_ON)
def put_product(values: dict[str, Any], id: int) -> Product:
    """Change a product

    Only the fields sent are changed, as with PATCH.
    """
    return service.update(id, values, etag.expected(id))


@blp.patch("/<id:id>")
@blp.signed_in
@blp.once
@blp.arguments(ProductPatch)
@blp.item(ProductOut)
@blp.refuses(TAKEN, MISSING, MOVED_ON)
def patch_product(values: dict[str, Any], id: int) -> Product:
    """Change some fields of a product"""
    return service.update(id, values, etag.expected(id))


@blp.delete("/<id:id>")
@blp.signed_in
@blp.nothing
@blp.refuses(MISSING, MOVED_ON)
def delete_product(id: int) -> None:
    """Make a product inactive

    It can still be read and restored, and its name stays taken.
    """
    service.delete(id, etag.expected(id))


@blp.post("/<id:id>/restore")
@blp.signed_in
@blp.once
@blp.item(ProductOut)
@blp.refuses(MISSING)
def restore_product(id: int) -> Product:
    """Make a product active again"""
    return service.restore(id)


@blp.patch("/<id:id>/stock")
@blp.signed_in
@blp.once_for("stock")
@blp.arguments(StockQuery, "query")
@blp.item(ProductOut, shaped=True)
@blp.refuses(SOLD_OUT, RESERVED, TOO_MUCH, MISSING, MOVED_ON)
def adjust_stock(id: int, shape: Shape, **moved: Any) -> Any:
    """Add to the stock of a product, or take from it"""
    answer = Product, shape
    return stock.adjust(id, **moved, versions=etag.expected(id), answer=answer).answer


@ledger.get("/stock/low")
@ledger.signed_in
@ledger.page(ProductOut, LowQuery, service.SORTABLE)
def list_low_products(**query: Any) -> Select[Product]:
    """List the products of which there are no more than their threshold"""
    return service.low(**query)
