"""What /metrics tells, read by the library's own parser."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from config import NAME
from tests.server import Server

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(text: str) -> Samples:
    """Every sample, by its name without ours and by its labels; none is told twice."""
    samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
    found = {
        (each.name.removeprefix(f"{NAME}_"), frozenset(each.labels.items())): each.value
        for each in samples
    }
    assert len(found) == len(samples)
    return found


def scrape(server: Server) -> Samples:
    status, text, headers = server.call("GET", "/metrics")
    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return read(text)


def total(samples: Samples, name: str, **labels: Any) -> float:
    """The sum of all that have these labels, and perhaps others."""
    wanted = {(label, str(value)) for label, value in labels.items()}
    return sum(value for (told, has), value in samples.items() if told == name and wanted <= has)


def grown(before: Samples, after: Samples, name: str, **labels: Any) -> float:
    return total(after, name, **labels) - total(before, name, **labels)
