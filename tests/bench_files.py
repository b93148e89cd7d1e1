"""`make bench-files`: how long a great export takes, and how little memory."""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from urllib.request import Request, urlopen

import psutil

from project.embedded import Cluster
from tests.bench import SECRET
from tests.server import Server

ROWS = """
INSERT INTO products (name, description, price, stock)
SELECT 'Product ' || n, CASE WHEN mod(n, 3) > 0 THEN repeat('Brass, "old". ', 1 + mod(n, 17)) END,
       (mod(n, 10000) + 1) / 100.0, mod(n, 1000)
FROM generate_series(1, %s) AS n
"""


class Peak:
    """How much memory the server's workers ever had, in MiB; the kernel keeps count."""

    def __init__(self, server: Server) -> None:
        workers = psutil.Process(server.process.pid).children()
        self.places = [Path(f"/proc/{worker.pid}") for worker in workers]
        self.before = [self._read(place, "VmRSS") for place in self.places]
        for place in self.places:
            (place / "clear_refs").write_text("5")  # the peak begins anew

    def growth(self) -> float:
        """Of the worker that grew most."""
        peaks = (self._read(place, "VmHWM") for place in self.places)
        return max(peak - before for peak, before in zip(peaks, self.before, strict=True))

    def _read(self, place: Path, name: str) -> float:
        found = re.search(rf"{name}:\s+([0-9]+) kB", (place / "status").read_text())
        assert found is not None
        return int(found[1]) / 1024


def export(server: Server, headers: dict[str, str], query: str) -> None:
    """One export, from the first byte to the last."""
    peak, began, size, digest = Peak(server), time.perf_counter(), 0, sha256()
    request = Request(f"{server.url}/api/v1/products/export{query}", headers=headers)
    with urlopen(request) as answer:
        first = time.perf_counter() - began
        while piece := answer.read(65_536):
            size += len(piece)
            digest.update(piece)
    took = time.perf_counter() - began
    print(
        f"export{query or '?format=csv'}: {size / 2**20:.0f} MiB in {took:.1f} s, "
        f"the first byte after {first * 1000:.0f} ms, memory grew by {peak.growth():.1f} MiB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cluster = Cluster(folder / "data")
        try:
            with Server(cluster.ensure(), folder, SECRET, WEB_CONCURRENCY="1") as server:
                assert server.flask("db", "upgrade").returncode == 0
                with closing(server.connect()) as connection, connection:
                    connection.cursor().execute(ROWS, [rows])
                headers = server.sign_in()
                for query in ("?in_stock=false", "", "?format=ndjson", "?neutralise=true"):
                    export(server, headers, query)
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()
