"""A product: a name that is unique for ever, a price, a stock that is never negative."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import CheckConstraint, Index, String, Text, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from project.db import INT4, Item, rule

MAX_STOCK = INT4


class Product(Item):
    """Something in the catalogue; deleting it makes it inactive."""

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

    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(Text)
    price: Mapped[Decimal]
    stock: Mapped[int] = mapped_column(server_default=text("0"))
    low_stock_threshold: Mapped[int | None]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))


Index("ix_products_lower_name", func.lower(Product.name), Product.id)
