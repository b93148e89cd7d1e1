"""What is counted and measured, for `/metrics` to tell.

Each has labels, and so no value before its first use: which is in a process that answers, where it
is known whether several share what they count (see `sharing.py`).
"""

from __future__ import annotations

import re
from functools import cache

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

from config import NAME

disable_created_metrics()

REGISTRY = CollectorRegistry()
METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
OTHER = "other"  # a method that nobody knows
UNMATCHED = "unmatched"  # what has no route: 404, 405
OUTSIDE = "outside"  # what is refused, or broke, where no application is asked
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds

REQUESTS = Counter(
    f"{NAME}_http_requests",
    "Requests answered, by route, method and status.",
    ["route", "method", "status"],
    registry=REGISTRY,
)
DURATION = Histogram(
    f"{NAME}_http_request_duration_seconds",
    "From the request to the head of its answer; what a download takes follows it.",
    ["route", "method"],
    buckets=BOUNDS,
    registry=REGISTRY,
)
REFUSALS = Counter(
    f"{NAME}_refusals", "Problem documents answered, by code.", ["code"], registry=REGISTRY
)
DOWNLOADS = Counter(
    f"{NAME}_downloads",
    "Downloads that ended, whole or cut off.",
    ["outcome"],
    registry=REGISTRY,
)
DATABASE_ERRORS = Counter(
    f"{NAME}_database_errors",
    "What the database could not do, by kind, also where it was tried again.",
    ["kind"],
    registry=REGISTRY,
)
POOL_IN_USE = Gauge(
    f"{NAME}_database_pool_connections_in_use",
    "Pooled connections in use, of all web workers.",
    ["pool"],
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
POOL_MAX = Gauge(
    f"{NAME}_database_pool_connections_max",
    "Connections that the pools of all web workers may have.",
    ["pool"],
    multiprocess_mode="livesum",
    registry=REGISTRY,
)

_known: dict[tuple[str | None, str, int], tuple[Counter, Histogram]] = {}


def answered(rule: str | None, method: str, status: int, seconds: float) -> None:
    """Count an answer to a request for this rule, if it had any."""
    key = rule, method if method in METHODS else OTHER, status
    if (found := _known.get(key)) is None:
        found = _known[key] = _meters_of(*key)
    counter, histogram = found
    counter.inc()
    histogram.observe(seconds)


def refused_outside(code: str, status: int) -> None:
    """Count an answer that no application gave."""
    REQUESTS.labels(OUTSIDE, OTHER, status).inc()
    REFUSALS.labels(code).inc()


@cache
def template(rule: str) -> str:
    """The rule as the OpenAPI document writes it: `/users/{id}`, and never an address of one."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def _meters_of(rule: str | None, method: str, status: int) -> tuple[Counter, Histogram]:
    route = UNMATCHED if rule is None else template(rule)
    return REQUESTS.labels(route, method, status), DURATION.labels(route, method)
