"""The database: the words models are written in, and the verbs services speak."""

from project.db.copying import copy_in
from project.db.counts import UNKNOWN, Counts, count
from project.db.models import HYPHEN, Base, Id, Instant, Item, Tagged, ngrams, tag_of
from project.db.outbox import Event, announced, told
from project.db.prepared import Prepared, Spoken, ask, form
from project.db.probing import probe
from project.db.rules import rule
from project.db.session import db, lift_limits
from project.db.stream import Stream
from project.db.transactions import (
    abandon,
    after_commit,
    announce,
    aside,
    note,
    reading,
    savepoint,
    transacted,
    transaction,
)
from project.db.verbs import (
    INT4,
    INT8,
    Answer,
    Lookup,
    Shape,
    Written,
    attempt,
    fetch,
    locked,
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
    "HYPHEN",
    "INT4",
    "INT8",
    "UNKNOWN",
    "Answer",
    "Base",
    "Counts",
    "Event",
    "Id",
    "Instant",
    "Item",
    "Lookup",
    "Prepared",
    "Shape",
    "Spoken",
    "Stream",
    "Tagged",
    "Written",
    "abandon",
    "after_commit",
    "announce",
    "announced",
    "aside",
    "ask",
    "attempt",
    "copy_in",
    "count",
    "db",
    "fetch",
    "form",
    "lift_limits",
    "locked",
    "matching",
    "named",
    "ngrams",
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
    "tag_of",
    "told",
    "transacted",
    "transaction",
]
