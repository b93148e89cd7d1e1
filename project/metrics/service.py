"""What is told: what the processes have counted, and what the database knows at this moment."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily

from config import NAME
from project.db import GAUGES, measure
from project.errors import Unavailable
from project.meters import sharing

PATIENCE = 1.0  # seconds for the database


class Measured:
    """What the database knows, for the library to write out; that it is away is told too."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            found, up = measure(PATIENCE), 1
        except Unavailable:
            found, up = {}, 0
        yield GaugeMetricFamily(f"{NAME}_database_up", "Whether the database answers.", value=up)
        for name, rows in found.items():
            labels = [label for label in (rows or [{}])[0] if label != "value"]
            told = GaugeMetricFamily(f"{NAME}_{name}", GAUGES[name].meaning, labels=labels)
            for row in rows:
                told.add_metric([row[label] for label in labels], row["value"])
            yield told


def exposition() -> bytes:
    """All of it, in Prometheus' text format."""
    return generate_latest(sharing.collected()) + generate_latest(Measured())
