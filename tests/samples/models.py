"""A sample: what every room has, and no more. Its table is made in the databases of tests only."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import CheckConstraint, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from project.db import Item, rule


class Sample(Item):
    """Something with a name that is unique, a price, and an amount that is never negative."""

    __tablename__ = "samples"
    __table_args__ = (
        UniqueConstraint(
            "name",
            info=rule(
                "duplicate_name",
                "Sample with name '{name}' already exists",
                conflict=("id", "is_active"),
            ),
        ),
        CheckConstraint("price > 0 AND price <= 99999999.99", name="price_range"),
        CheckConstraint("amount >= 0", name="enough", info=rule("not_enough", "There are fewer")),
    )

    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(Text)
    price: Mapped[Decimal]
    amount: Mapped[int] = mapped_column(server_default=text("0"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
