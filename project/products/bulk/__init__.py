"""A CSV file of products, taken into the catalogue at once and in constant memory."""

from project.products.bulk.merge import Loaded, load
from project.products.bulk.sheet import FIELDS, Sheet
from project.products.bulk.staging import refusals

__all__ = ["FIELDS", "Loaded", "Sheet", "load", "refusals"]
