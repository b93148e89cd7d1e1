"""A real gunicorn, for what only processes can show."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psycopg2
from sqlalchemy.engine import make_url

from config import ROOT


class Server:
    """Started on entry with two workers of four threads, ended on exit; `log` is its output."""

    application = "wsgi:app"

    def __init__(self, database_url: str, folder: Path, secret: str, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "gunicorn.log"
        self.environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "SECRET_KEY": secret,
            "DATA_DIR": str(folder),
            "PORT": str(self.port),
            "WEB_CONCURRENCY": "2",
            "RATELIMIT_ENABLED": "false",
            **environment,
        }

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "gunicorn", self.application]
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                self.call("GET", "/healthz")
            except OSError:
                time.sleep(0.05)
            else:
                return self
        raise AssertionError(f"gunicorn did not start:\n{self.log.read_text()}")

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def flask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a `flask` command with the server's settings."""
        return subprocess.run(
            [sys.executable, "-m", "flask", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        """A process that does the jobs; told to stop in the end, if it lives."""
        command = [sys.executable, "-m", "flask", "--app", self.application, "worker"]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)  # which does nothing to one that has ended
            process.wait(30)

    def connect(self) -> psycopg2.extensions.connection:
        """A connection to the server's database."""
        url = make_url(self.environment["DATABASE_URL"]).set(drivername="postgresql")
        return psycopg2.connect(url.render_as_string(hide_password=False))

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any, Any]:
        """Status, document and headers of one call; a refusal is an answer like any other.

        What is no document but a file is its text.
        """
        status, raw, answered = self.send(method, path, body, headers)
        if answered.get_content_type() not in ("application/json", "application/problem+json"):
            return status, raw.decode() or None, answered
        return status, json.loads(raw) if raw else None, answered

    def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, Any]:
        """The same with the bytes of the document; bytes are sent as they are."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent = {**({} if data is None else {"Content-Type": "application/json"}), **(headers or {})}
        request = Request(self.url + path, data, sent, method=method)
        try:
            with urlopen(request, timeout=30) as answer:
                return answer.status, answer.read(), answer.headers
        except HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read(), refusal.headers

    def sign_in(self, name: str = "admin") -> dict[str, str]:
        """Make a superuser of this name and return the headers of its token.

        By SQL, since `flask users create` would start one more process.
        """
        password = "correct horse battery"
        account = {"username": name, "email": f"{name}@example.org", "password": password}
        status, _, _ = self.call("POST", "/api/v1/auth/register", account)
        assert status == 201
        with closing(self.connect()) as connection, connection, connection.cursor() as cursor:
            cursor.execute("UPDATE users SET is_superuser = true WHERE username = %s", [name])
        credentials = {"login": name, "password": password}
        _, answer, _ = self.call("POST", "/api/v1/auth/login", credentials)
        return {"Authorization": f"Bearer {answer['access_token']}"}


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
