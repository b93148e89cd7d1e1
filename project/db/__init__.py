"""The database: the words models are written in, and the verbs services speak."""

from project.db.models import Base, Id, Instant, Item
from project.db.outbox import Event, announced
from project.db.probing import probe
from project.db.rules import rule
from project.db.session import (
    after_commit,
    announce,
    aside,
    db,
    lift_limits,
    note,
    reading,
    savepoint,
    transacted,
    transaction,
)
from project.db.stream import Stream
from project.db.verbs import (
    INT4,
    INT8,
    attempt,
    count,
    fetch,
    matching,
    named,
    remove,
    revise,
    revise_if,
    revision,
    save,
    sweep,
)

__all__ = [
    "INT4",
    "INT8",
    "Base",
    "Event",
    "Id",
    "Instant",
    "Item",
    "Stream",
    "after_commit",
    "announce",
    "announced",
    "aside",
    "attempt",
    "count",
    "db",
    "fetch",
    "lift_limits",
    "matching",
    "named",
    "note",
    "probe",
    "reading",
    "remove",
    "revise",
    "revise_if",
    "revision",
    "rule",
    "save",
    "savepoint",
    "sweep",
    "transacted",
    "transaction",
]
