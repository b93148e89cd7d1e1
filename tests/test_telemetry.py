"""Traces, as a collector receives them from real processes; and none where none is named."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from config import NAME, ROOT
from project import telemetry
from project.db.traced import Cursor
from tests.conftest import SECRET, cloned
from tests.jobs.laboratory import TABLE
from tests.server import Server
from tests.waiting import until

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PASSWORD = "correct horse battery"


@dataclass
class Span:
    name: str
    kind: int
    trace: str
    id: str
    parent: str
    status: int
    attributes: dict[str, Any] = field(default_factory=dict)


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.spans: list[Span] = []
        self.services: set[str] = set()
        self.raw = b""
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def take(self, body: bytes) -> None:
        self.raw += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services |= {
                each.value.string_value
                for each in resource.resource.attributes
                if each.key == "service.name"
            }
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                ids = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
                told = {
                    each.key: each.value.string_value or each.value.int_value
                    for each in span.attributes
                }
                self.spans.append(Span(span.name, span.kind, *ids, span.status.code, told))

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def below(self, parent: Span) -> list[Span]:
        return [span for span in self.spans if span.parent == parent.id]


class Taking(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/v1/traces"
        self.server.take(
            gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        )
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Traced(Server):
    application = "tests.jobs.laboratory:app"


@contextmanager
def collector() -> Iterator[Collector]:
    with Collector() as running:
        thread = Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def collected(postgres: str, template: str, tmp_path_factory: Any) -> Iterator[Collector]:
    """What came of some requests and a job."""
    folder: Path = tmp_path_factory.mktemp("traced")
    settings = {"OTEL_BSP_SCHEDULE_DELAY": "100", "LABORATORY": "yes"}
    with (
        collector() as running,
        cloned(postgres, template, f"{NAME}_{os.getpid()}_{folder.name}") as url,
        Traced(url, folder, SECRET, OTEL_EXPORTER_OTLP_ENDPOINT=running.url, **settings) as server,
    ):
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(TABLE)
        token = server.sign_in()
        named = {**token, "X-Request-Id": "mine", "traceparent": f"00-{TRACE}-{PARENT}-01"}
        asked = f"/api/v1/users/?q={'s3cret-words'}"
        assert server.call("GET", asked, headers=named)[0] == 200
        let_go = {**token, "traceparent": f"00-{TRACE}-{PARENT}-00"}  # its caller keeps none
        quiet = {"full_name": "Nobody keeps this"}
        assert server.call("PATCH", "/api/v1/users/me", quiet, let_go)[0] == 200
        changed = server.call("PATCH", "/api/v1/users/me", {"bio": "s3cret-bio"}, token)
        assert changed[0] == 200
        assert server.call("GET", "/no/such/s3cret-path")[0] == 404
        assert server.send("POST", "/ask?told=s3cret-told")[0] == 200
        with server.worker():
            until(lambda: bool(running.named("laboratory.tell")))
        until(lambda: len(running.named("GET")) >= 1)
        until(lambda: len(running.named("PATCH /api/v1/users/me")) >= 1)
        running.log = server.log  # type: ignore[attr-defined]  # for whoever looks there
        yield running


def test_a_request_is_a_span_of_its_callers_trace(collected: Collector) -> None:
    [span] = collected.named("GET /api/v1/users/")
    assert (span.trace, span.parent, span.kind) == (TRACE, PARENT, 2)
    assert span.attributes == {
        "http.request.method": "GET",
        "http.route": "/api/v1/users/",
        "http.response.status_code": 200,
        "request_id": "mine",
    }
    assert collected.services == {NAME}
    assert "http.route" not in collected.named("GET")[0].attributes


def test_its_statements_are_spans_below_it(collected: Collector) -> None:
    [span] = collected.named("PATCH /api/v1/users/me")
    asked = collected.below(span)
    assert {each.kind for each in asked} == {3}
    texts = [str(each.attributes["db.query.text"]) for each in asked]
    assert any("UPDATE users" in text for text in texts), texts
    assert all("s3cret" not in text for text in texts)
    assert {each.attributes["db.system.name"] for each in asked} == {"postgresql"}


def test_a_job_is_a_span_under_the_id_of_its_request(collected: Collector) -> None:
    [job] = collected.named("laboratory.tell")
    [asking] = [span for span in collected.spans if span.name == "POST /ask"]
    assert job.kind == 5
    assert job.attributes["request_id"] == asking.attributes["request_id"]
    assert job.attributes["job.task"] == "laboratory.tell"
    assert any("effects" in str(it.attributes["db.query.text"]) for it in collected.below(job))


def test_no_span_tells_what_was_sent(collected: Collector) -> None:
    for secret in ("s3cret", PASSWORD, "admin@example.org", SECRET, "eyJ"):
        assert secret.encode() not in collected.raw


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("SELECT 1", "SELECT ?"),
        ("SELECT 'it''s' || E'a\\\\b' FROM users", "SELECT ? || E? FROM users"),
        ("EXECUTE a(1, 'x', 29.90, '2026-01-01'::date)", "EXECUTE a(?, ?, ?, ?::date)"),
        ("SELECT a2, b_3 FROM t4 WHERE id IN (5, 6)", "SELECT a2, b_3 FROM t4 WHERE id IN (?, ?)"),
    ],
)
def test_values_in_a_statement_are_not_told(postgres: str, said: str, told: str) -> None:
    url = postgres.replace("+psycopg2", "")
    with (
        closing(psycopg2.connect(url)) as connection,
        connection.cursor(cursor_factory=Cursor) as it,
    ):
        for spelled in (said, said.encode()):
            assert it._told(spelled)[2]["db.query.text"] == told


def test_nothing_is_imported_where_no_collector_is_named(tmp_path: Path) -> None:
    code = "import sys, wsgi; print([name for name in sys.modules if 'opentelemetry' in name])"
    environment = {**os.environ, "DATA_DIR": str(tmp_path), "DATABASE_URL": "postgresql://x@y/z"}
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert (told.returncode, told.stdout) == (0, "[]\n"), told.stderr
    assert not telemetry.active()


@pytest.mark.parametrize("command", [["gunicorn", "wsgi:app"], ["flask", "users", "list"]])
def test_without_the_packages_the_start_ends_with_one_sentence(
    command: list[str], tmp_path: Path
) -> None:
    """A package of the same name that has nothing in it hides the real one."""
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").touch()
    ended = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(tmp_path),
            "DATABASE_URL": "postgresql://x@y/z",
            "SECRET_KEY": SECRET,
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 1
    [sentence] = ended.stderr.strip().splitlines()
    assert "OTEL_EXPORTER_OTLP_ENDPOINT needs the packages of requirements-telem" in sentence
