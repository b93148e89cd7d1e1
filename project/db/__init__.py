"""The database: the words models are written in, and the verbs services speak."""

from project.db.models import Base, Id, Instant, Item
from project.db.probe import probe
from project.db.rules import rule
from project.db.session import after_commit, announce, db, reading, transaction
from project.db.verbs import (
    INT4,
    INT8,
    count,
    fetch,
    matching,
    remove,
    revise,
    revise_if,
    save,
    sweep,
)

__all__ = [
    "INT4",
    "INT8",
    "Base",
    "Id",
    "Instant",
    "Item",
    "after_commit",
    "announce",
    "count",
    "db",
    "fetch",
    "matching",
    "probe",
    "reading",
    "remove",
    "revise",
    "revise_if",
    "rule",
    "save",
    "sweep",
    "transaction",
]
