"""The database: the words models are written in, and the verbs services speak."""

from project.db.connections import Passed
from project.db.copying import copy_in
from project.db.counts import UNKNOWN, Counts, count
from project.db.filters import Filter, at_least, at_most, equals, narrowed
from project.db.gauges import GAUGES, gauge, measure
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
from project.db.whole import whole_database

__all__ = [
    "GAUGES",
    "HYPHEN",
    "INT4",
    "INT8",
    "UNKNOWN",
    "Answer",
    "Base",
    "Counts",
    "Event",
    "Filter",
    "Id",
    "Instant",
    "Item",
    "Lookup",
    "Passed",
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
    "at_least",
    "at_most",
    "attempt",
    "copy_in",
    "count",
    "db",
    "equals",
    "fetch",
    "form",
    "gauge",
    "lift_limits",
    "locked",
    "matching",
    "measure",
    "named",
    "narrowed",
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
    "whole_database",
]
