"""flask products: the catalogue from the command line."""

from __future__ import annotations

from project.commands import Group

products = Group("products", help="The catalogue.")
