"""A hundred thousand products under traffic, down and up again: `make soak`, a minute."""

from __future__ import annotations

from tests.backup.terminal import Terminal
from tests.products.test_migrations import PATIENCE, ride, shop

__all__ = ["shop"]  # a fixture


def test_nobody_waits_long_with_a_hundred_thousand_products(shop: Terminal) -> None:
    traffic = ride(shop, 100_000)
    print(
        f"{traffic.done:,} calls, {traffic.again:,} had to come again, "
        f"the longest took {traffic.longest:.2f} s"
    )
    assert traffic.longest < PATIENCE
