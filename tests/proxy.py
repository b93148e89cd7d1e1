"""What slow clients do to everybody else, with nginx in front and without: `make proxy`.

nginx is run with deploy/nginx.conf as it ships, but for the ports. It has to be installed.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event, Thread

from config import ROOT
from project.embedded import Cluster
from tests.conftest import SECRET, migrate
from tests.server import Server, free_port
from tests.serving.client import get

SECONDS = 5  # of each measurement
OTHERS = 8  # clients who behave
BODY = b'{"full_name": "' + b"x" * 900_000  # JSON that never ends, of less than the service takes
MANY = "1000000 per minute"
Step = Callable[[socket.socket, int], None]

WHOLE = """
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/service.conf;
}}
"""


def head(client: socket.socket, step: int) -> None:
    """A header field now and then."""
    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" if step == 0 else b"X-More: y\r\n")


def body(client: socket.socket, step: int) -> None:
    """Of a small body a byte now and then."""
    client.sendall(_begun(10_000) if step == 0 else b"x")


def upload(client: socket.socket, step: int) -> None:
    """Of a large body, which a thread would read, a hundred bytes now and then."""
    client.sendall(_begun(len(BODY)) + BODY[:70_000] if step == 0 else b"x" * 100)


def reader(client: socket.socket, step: int) -> None:
    """A thousand bytes of a large answer now and then."""
    if step == 0:
        client.sendall(get("/docs/swagger-ui-bundle.js"))
    client.recv(1_000)


def _begun(length: int) -> bytes:
    kind = "Content-Type: application/json"
    return get("/api/v1/auth/register", kind, f"Content-Length: {length}", method="POST")


CROWDS: list[tuple[str, int, Step | None]] = [
    ("nobody", 0, None),
    ("heads", 200, head),
    ("small bodies", 200, body),
    ("large bodies", 40, upload),
    ("readers", 40, reader),
]


def main() -> None:
    """Print a row for each crowd, before the service and before nginx."""
    if shutil.which("nginx") is None:
        sys.exit("nginx is not installed: apt-get install nginx-light.")
    with tempfile.TemporaryDirectory() as name, database(Path(name)) as url:
        settings = {"TRUSTED_PROXIES": "127.0.0.1", "RATELIMIT_USER": MANY}
        with Server(url, Path(name), SECRET, **settings) as server, nginx(server) as port:
            headers = server.sign_in()
            print(f"{OTHERS} others, for {SECONDS} s each; milliseconds\n")
            print(f"{'slow clients':<18} {'before':<9} {'requests':>8} {'failed':>7}", end="")
            print(f" {'p50':>8} {'p99':>8} {'longest':>8}")
            for crowd, number, step in CROWDS:
                for where, at in (("service", server.port), ("nginx", port)):
                    with slow(at, number, step):
                        waits, failed = others(at, headers)
                    told = [1000 * waits[int(len(waits) * part)] for part in (0.5, 0.99)]
                    told.append(1000 * waits[-1])
                    title = f"{number} {crowd}" if number else crowd
                    print(f"{title:<18} {where:<9} {len(waits):>8,} {failed:>7}", end="")
                    print("".join(f" {each:>8.1f}" for each in told), flush=True)


@contextmanager
def database(folder: Path) -> Iterator[str]:
    """A PostgreSQL of its own."""
    cluster = Cluster(folder, grace=1.0)
    try:
        migrate(cluster.ensure())
        yield cluster.url
    finally:
        cluster.stop()
        cluster.release()


@contextmanager
def nginx(server: Server) -> Iterator[int]:
    """nginx before the server; the port where it listens."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # its workers are of another account
        site = (ROOT / "deploy" / "nginx.conf").read_text()
        site = site.replace("listen 80;", f"listen 127.0.0.1:{port};")
        site = site.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")
        (folder / "service.conf").write_text(site)
        (folder / "nginx.conf").write_text(WHOLE.format(folder=folder))
        command = ["nginx", "-p", name, "-c", str(folder / "nginx.conf")]
        tried = subprocess.run([*command, "-t"], check=False, capture_output=True, text=True)
        if tried.returncode:
            sys.exit(tried.stderr)
        running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 10
            while time.monotonic() < end:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
            yield port
        finally:
            running.terminate()
            running.wait()


@contextmanager
def slow(port: int, number: int, step: Step | None) -> Iterator[None]:
    """So many who take a step each second."""
    over = Event()
    with ExitStack() as stack:
        clients = []
        for _ in range(number):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(1)
            client.connect(("127.0.0.1", port))
            clients.append(client)

        def go_on() -> None:
            number = 0
            while not over.wait(1 if number else 0):
                for client in clients:
                    with suppress(OSError):  # it was given up
                        if step is not None:
                            step(client, number)
                number += 1

        thread = Thread(target=go_on)
        thread.start()
        time.sleep(1)
        try:
            yield
        finally:
            over.set()
            thread.join()


def others(port: int, headers: dict[str, str]) -> tuple[list[float], int]:
    """What those wait who behave, in order, and how many were not answered well."""
    end = time.monotonic() + SECONDS

    def ask(_: int) -> tuple[list[float], int]:
        waits, failed = [], 0
        connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        while (began := time.monotonic()) < end:
            try:
                connection.request("GET", "/api/v1/users/me", headers=headers)
                answer = connection.getresponse()
                answer.read()
                failed += answer.status != 200
            except (OSError, HTTPException):
                connection.close()
                failed += 1
            waits.append(time.monotonic() - began)
        connection.close()
        return waits, failed

    with ThreadPoolExecutor(OTHERS) as pool:
        found = list(pool.map(ask, range(OTHERS)))
    return sorted(wait for waits, _ in found for wait in waits), sum(failed for _, failed in found)


if __name__ == "__main__":
    main()
