"""The database: the words models are written in, and the verbs services speak."""

from project.db.models import Base, Id, Instant, Item
from project.db.probe import probe
from project.db.rules import rule
from project.db.session import announce, db, reading, transaction
from project.db.verbs import INT4, INT8, fetch, revise, revise_if, save

__all__ = [
    "INT4",
    "INT8",
    "Base",
    "Id",
    "Instant",
    "Item",
    "announce",
    "db",
    "fetch",
    "probe",
    "reading",
    "revise",
    "revise_if",
    "rule",
    "save",
    "transaction",
]
