"""`make lint` fails on a known vulnerability, and only says so where nobody can be asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests import advisories
from tests.server import free_port

LOCK = "".join(
    f"{version} --hash=sha256:{'0' * 64}\n" for version in ("flask==3.0.0", "click==8.1.0")
)
SKIPPED = "skipped: advisories were not asked for, since "
FLAW = {
    "id": "PYSEC-2026-1",
    "summary": "Answers what it should not.",
    "affected": [
        {
            "package": {"name": "click", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "8.2"}]}],
        }
    ],
}


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.txt"
    path.write_text(LOCK)
    return path


@contextmanager
def service(answer: Callable[[str], tuple[int, Any]]) -> Iterator[tuple[str, list[str]]]:
    """The address of one that answers so about a package, and whom it was asked about."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(f"{question['package']['name']} {question['version']}")
            status, told = answer(question["package"]["name"])
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query", asked
        server.shutdown()
        thread.join()


def test_a_known_vulnerability_fails(lock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def answer(name: str) -> tuple[int, Any]:
        return 200, {"vulns": [FLAW]} if name == "click" else {}

    with service(answer) as (url, _):
        assert advisories.main(url, [lock], lock.with_name("asked")) == 1
        said = capsys.readouterr().out
        assert "click" in said
        assert "PYSEC-2026-1" in said
        assert "8.2" in said
        assert advisories.main(url, [lock], lock.with_name("asked")) == 1


def test_every_version_is_asked_about_once_a_day_and_again_when_one_has_changed(
    lock: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with service(lambda _: (200, {})) as (url, asked):
        assert advisories.main(url, [lock], lock.with_name("asked")) == 0
        assert sorted(asked) == ["click 8.1.0", "flask 3.0.0"]
        assert advisories.main(url, [lock], lock.with_name("asked")) == 0
        assert len(asked) == 2
        lock.write_text(LOCK.replace("8.1.0", "8.1.1"))
        assert advisories.main(url, [lock], lock.with_name("asked")) == 0
        assert sorted(asked[2:]) == ["click 8.1.1", "flask 3.0.0"]
    assert capsys.readouterr().out == ""


def test_without_a_network_it_says_so_and_passes(
    lock: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1/query"
    assert advisories.main(url, [lock], lock.with_name("asked")) == 0
    said = f"{SKIPPED}127.0.0.1 cannot be reached (Connection refused).\n"
    assert capsys.readouterr().out == said
    assert not lock.with_name("asked").exists()


def test_a_service_that_is_ill_is_none(lock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with service(lambda _: (503, {})) as (url, _):
        assert advisories.main(url, [lock], lock.with_name("asked")) == 0
    assert capsys.readouterr().out == f"{SKIPPED}{url} did not answer as it should.\n"
    assert not lock.with_name("asked").exists()


def test_a_lock_that_cannot_be_read_fails(lock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock.write_text("flask>=3")
    with service(lambda _: (200, {})) as (url, _):
        assert advisories.main(url, [lock], lock.with_name("asked")) == 1
    assert "hashed requirements" in capsys.readouterr().out
