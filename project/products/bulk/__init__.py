"""A CSV file of products, taken into the catalogue at once and in constant memory."""

from project.products.bulk.merge import Loaded, load
from project.products.bulk.report import Report, loading
from project.products.bulk.sheet import FIELDS, Sheet
from project.products.bulk.staging import refusals
from project.products.bulk.uploaded import Meter, carry_out, preview, queue

__all__ = [
    "FIELDS",
    "Loaded",
    "Meter",
    "Report",
    "Sheet",
    "carry_out",
    "load",
    "loading",
    "preview",
    "queue",
    "refusals",
]
