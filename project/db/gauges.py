"""What only the database knows: rooms say how to ask, and a scrape of `/metrics` asks it all.

In one statement with a deadline, on a connection of its own: see `probing.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from project.db.probing import probe

GAUGES: dict[str, Gauge] = {}


@dataclass(frozen=True)
class Gauge:
    """A measure: a SELECT of its labels, which are texts, and of the column `value`."""

    name: str
    meaning: str
    question: str


def gauge(name: str, meaning: str, question: str) -> None:
    """Have this measured at each scrape; keep the question cheap, whatever the tables hold."""
    assert name not in GAUGES, name
    GAUGES[name] = Gauge(name, meaning, question)


def measure(seconds: float) -> dict[str, list[dict[str, Any]]]:
    """The rows of every gauge, by its name; raises Unavailable after so many seconds.

    Of a database without our tables nothing is known.
    """
    answers = (_answer(each) for each in GAUGES.values())
    return probe(f"SELECT json_build_object({', '.join(answers)})", seconds) or {}


def _answer(gauge: Gauge) -> str:
    rows = "SELECT coalesce(json_agg(found), '[]') FROM"
    return f"'{gauge.name}', ({rows} ({gauge.question}) AS found)"  # questions are ours
