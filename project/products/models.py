"""A product: a name that is unique for ever, a price, a stock that is never negative; and holds."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    case,
    func,
    literal_column,
    text,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, column_property, mapped_column

from project.db import HYPHEN, INT4, Base, Id, Item, ngrams, rule, tag_of

MAX_STOCK = INT4
NOTHING = literal_column("0", Integer)


class Hold(Base):
    """So many of a product that are kept for a reservation: a line of it.

    until: when that ends by itself; null once the reservation is closed.
    """

    __tablename__ = "stock_holds"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity_positive"),
        Index("ix_stock_holds_product", "product_id", "until"),
        Index("ix_stock_holds_reservation", "reservation_id", "id"),
    )

    id: Mapped[Id]
    reservation_id: Mapped[int] = mapped_column(ForeignKey("reservations.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    quantity: Mapped[int]
    until: Mapped[datetime | None]


class Product(Item):
    """Something in the catalogue; deleting it makes it inactive.

    held_until: when the last hold of it ends, or null; see `stock/holds.py`.
    """

    __tablename__ = "products"
    __table_args__ = (
        UniqueConstraint(
            "name",
            info=rule(
                "duplicate_name",
                "Product with name '{name}' already exists",
                conflict=("id", "is_active"),
            ),
        ),
        CheckConstraint("char_length(name) >= 1", name="name_given"),
        CheckConstraint("char_length(description) BETWEEN 1 AND 2000", name="description_length"),
        # NaN is greater than every number: the upper bound keeps it out
        CheckConstraint("price > 0 AND price <= 99999999.99", name="price_range"),
        CheckConstraint("stock >= 0", name="stock_never_negative"),
        CheckConstraint("low_stock_threshold >= 0", name="threshold_never_negative"),
        Index("ix_products_price", "price", "id"),
        Index("ix_products_created_at", "created_at", "id"),
        # for what is low: it never names the stock, or each sale would have to write it too
        Index(
            "ix_products_watched", "id", postgresql_where=text("low_stock_threshold IS NOT NULL")
        ),
    )

    name: Mapped[str] = mapped_column(String(255), info={"ngrams": True})
    description: Mapped[str | None] = mapped_column(Text)
    price: Mapped[Decimal]
    stock: Mapped[int] = mapped_column(server_default=text("0"))
    low_stock_threshold: Mapped[int | None]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    held_until: Mapped[datetime | None]

    if TYPE_CHECKING:
        held: Mapped[int]

    def __init__(self, **values: Any) -> None:
        """New in the catalogue, so that nobody holds any of it."""
        super().__init__(held=0, **values)

    @hybrid_property
    def available(self) -> int:
        """What nobody holds; below zero where fewer are there than were promised."""
        return self.stock - self.held

    @hybrid_property
    def tag(self) -> str:
        """What is available is another without a new version when something is held or free."""
        return f"{super().tag}-{self.held}" if self.held else super().tag

    @tag.inplace.expression
    @classmethod
    def _tag(cls) -> ColumnElement[str]:
        held = case((cls.held != NOTHING, func.concat(HYPHEN, cls.held)))
        return func.concat(tag_of(cls), held)


_held = func.stock_held(Product.id, type_=Integer)  # the sum of its holds that have not ended
# computed when read, so that a hold ends by itself; nearly all products need not look for any
Product.held = column_property(
    case((Product.held_until > func.statement_timestamp(), _held), else_=NOTHING),
    expire_on_flush=False,
)


Index("ix_products_lower_name", func.lower(Product.name), Product.id)
Index("ix_products_ngrams", ngrams(Product.name), postgresql_using="gin")

# how many there are, kept by triggers (migration 0013); `counts.py` says how it is read
product_counts = Table(
    "product_counts",
    Base.metadata,
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("total", BigInteger, nullable=False),
    Column("active", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    postgresql_with={"fillfactor": 50},
)
