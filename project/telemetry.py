"""OpenTelemetry: spans of requests, of their statements and of jobs, for a collector.

Where none is named (OTEL_EXPORTER_OTLP_ENDPOINT) nothing of the library is imported, and nothing
costs. A span tells no value that anybody sent, and of an error its name only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from config import NAME
from project import origin

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

Kind = Literal["SERVER", "CLIENT", "CONSUMER"]


class Telemetry:
    """The tracer of this process, if there is one."""

    tracer: Tracer | None = None


def start(endpoint: str) -> None:
    """Send spans to the collector at this address, from this process; once, after it was forked.

    Much of what the library reads of the environment holds too: OTEL_SERVICE_NAME,
    OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER …
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    service = {"service.name": os.environ.get("OTEL_SERVICE_NAME", NAME)}
    provider = TracerProvider(resource=Resource.create(service))
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    Telemetry.tracer = provider.get_tracer(NAME)


def active() -> bool:
    """Whether spans are made."""
    return Telemetry.tracer is not None


@contextmanager
def span(
    name: str,
    kind: Kind,
    attributes: Mapping[str, str | int],
    carrier: Mapping[str, str] | None = None,
) -> Iterator[Span | None]:
    """What happens inside is a span, under the request id that holds in the end.

    carrier: header fields that may name the span of the caller (W3C Trace Context).
    """
    if Telemetry.tracer is None:
        yield None
        return
    from opentelemetry.propagate import extract
    from opentelemetry.trace import SpanKind, StatusCode

    with Telemetry.tracer.start_as_current_span(
        name,
        None if carrier is None else extract(carrier),
        SpanKind[kind],
        attributes,
        record_exception=False,  # its sentence may hold what was sent
        set_status_on_exception=False,
    ) as begun:
        try:
            yield begun
        except BaseException as error:
            begun.set_attribute("error.type", type(error).__qualname__)
            begun.set_status(StatusCode.ERROR)
            raise
        finally:
            if (request_id := origin.entered()) is not None:
                begun.set_attribute("request_id", request_id)


def inside() -> bool:
    """Whether a span is under way that is kept."""
    if Telemetry.tracer is None:
        return False
    from opentelemetry.trace import get_current_span

    return get_current_span().is_recording()
