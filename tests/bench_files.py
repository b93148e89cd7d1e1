"""`make bench-files`: how long large files take in and out, beside COPY, and how little memory."""

from __future__ import annotations

import argparse
import csv
import http.client
import itertools
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil
import psycopg2
from sqlalchemy.engine import make_url

from config import ROOT
from project.embedded import Cluster
from project.products.routes import EXPORTED
from tests.conftest import SECRET, administration, at, migrate
from tests.server import Server

ROUNDS = 3
TABLES = ("products", "stock_movements", "events")  # what an import writes
EXPORT, IMPORT = "/api/v1/products/export", "/api/v1/products/import"
ROWS = """
INSERT INTO products (name, description, price, stock)
SELECT 'Product ' || n, CASE WHEN mod(n, 3) > 0 THEN repeat('Brass, "old". ', 1 + mod(n, 17)) END,
       (mod(n, 10000) + 1) / 100.0, mod(n, 1000)
FROM generate_series(1, %s) AS n
"""


class Peak:
    """How much memory processes ever had, in MiB, beyond what they had before."""

    def __init__(self, *pids: int) -> None:
        self.places = [Path(f"/proc/{pid}") for pid in pids]
        self.before = [self._read(place, "VmRSS") for place in self.places]
        for place in self.places:
            (place / "clear_refs").write_text("5")  # the kernel's peak begins anew

    def growth(self) -> str:
        """Of the one that grew most."""
        peaks = (self._read(place, "VmHWM") for place in self.places)
        grown = max(peak - before for peak, before in zip(peaks, self.before, strict=True))
        return f"memory grew by {grown:.1f} MiB"

    def _read(self, place: Path, name: str) -> float:
        found = re.search(rf"{name}:\s+([0-9]+) kB", (place / "status").read_text())
        assert found is not None
        return int(found[1]) / 1024


@dataclass
class Shop:
    """A server with one web process and one worker, and somebody who is signed in."""

    server: Server
    headers: dict[str, str]
    web: int
    worker: int
    postgres: int

    @property
    def pids(self) -> tuple[int, int]:
        return self.web, self.postgres

    def export(self, query: str, path: Path) -> None:
        """From the first byte to the last, which are written to a file."""
        peak, began = Peak(self.web), time.perf_counter()
        request = Request(f"{self.server.url}{EXPORT}{query}", headers=self.headers)
        with urlopen(request) as answer, path.open("wb") as file:
            file.write(answer.read(1))
            first = time.perf_counter() - began
            shutil.copyfileobj(answer, file)
        took = time.perf_counter() - began
        size = path.stat().st_size / 2**20
        print(
            f"export {query}: {size:.1f} MiB in {took:.1f} s, {peak.growth()}, the first byte ",
            end="",
        )
        print(f"after {first * 1000:.0f} ms")

    def upload(self, query: str, path: Path) -> Any:
        """Send a file, and have the report: at once, or the job's."""
        web, worker = Peak(self.web), Peak(self.worker)
        began, size = time.perf_counter(), path.stat().st_size / 2**20
        status, document = self._send(query, path)
        took = time.perf_counter() - began
        print(f"import {query}: {size:.1f} MiB, {status} in {took:.1f} s, {web.growth()}", end="")
        if status == 202:
            document = self._wait(document["id"])
            took = time.perf_counter() - began
            print(f"; done after {took:.1f} s, {worker.growth()} (worker)", end="")
        told = {name: value for name, value in document.items() if name != "refusals"}
        print(f"\n  {told}")
        return document

    def _send(self, query: str, path: Path) -> tuple[int, Any]:
        head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\n'
        tail = b"\r\n--x--\r\n"
        length = len(head) + path.stat().st_size + len(tail)
        headers = {**self.headers, "Content-Type": "multipart/form-data; boundary=x"}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port)
        with path.open("rb") as file:
            body = itertools.chain([head], iter(partial(file.read, 65_536), b""), [tail])
            connection.request(
                "POST", IMPORT + query, body, {**headers, "Content-Length": str(length)}
            )
            answer = connection.getresponse()
            return answer.status, json.load(answer)

    def _wait(self, id: int) -> Any:
        while True:
            _, job, _ = self.server.call("GET", f"/api/v1/jobs/{id}", headers=self.headers)
            if job["finished_at"]:
                assert job["result"], job
                return job["result"]
            time.sleep(0.2)


def connect(url: str) -> psycopg2.extensions.connection:
    """A connection without the application's limits."""
    plain = make_url(url).set(drivername="postgresql")
    return psycopg2.connect(plain.render_as_string(hide_password=False))


@contextmanager
def opened(folder: Path) -> Iterator[Shop]:
    """A new and empty one."""
    cluster = Cluster(folder / "data")
    folder.mkdir()
    url = cluster.ensure()
    with Server(url, folder, SECRET, WEB_CONCURRENCY="1") as server:
        assert server.flask("db", "upgrade").returncode == 0
        command = [sys.executable, "-m", "flask", "worker"]
        with (folder / "worker.log").open("wb") as log:
            worker = subprocess.Popen(command, cwd=ROOT, env=server.environment, stderr=log)
        try:
            [web] = psutil.Process(server.process.pid).children()
            postgres = int(str(cluster.status()["pid"]))
            shop = Shop(server, server.sign_in(), web.pid, worker.pid, postgres)
            warm = folder / "warm.csv"
            warm.write_text("name,price\n,1\n")
            shop.upload("?", warm)
            yield shop
        finally:
            worker.terminate()
            worker.wait(30)
    cluster.stop()


class Race:
    """Several ways to do one thing, in turns; the first is what the others are compared with.

    pids: whose CPU time counts, with that of all they have started, and of our children that ended.
    """

    def __init__(self, title: str, rows: int, *pids: int) -> None:
        self.title, self.rows, self.pids = title, rows, pids
        self.turns: dict[str, list[tuple[float, float]]] = {}

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        began, spent = time.perf_counter(), self.spent()
        yield
        took = time.perf_counter() - began, self.spent() - spent
        self.turns.setdefault(name, []).append(took)

    def spent(self) -> float:
        tree = [psutil.Process(pid) for pid in self.pids]
        tree += [child for parent in tree for child in parent.children(recursive=True)]
        try:
            return sum(os.times()[2:4]) + sum(sum(each.cpu_times()[:4]) for each in tree)
        except psutil.NoSuchProcess:  # it has ended just now, so its parent has its time
            return self.spent()

    def report(self) -> None:
        """Medians over the rounds; ratios within each round."""
        first = next(iter(self.turns.values()))
        print(
            f"\n{self.title:<44}{'seconds':>9}{'rows/s':>11}{'COPY ÷':>8}{'CPU s':>8}{'COPY ÷':>8}"
        )
        for name, turns in self.turns.items():
            took, spent = (statistics.median(each) for each in zip(*turns, strict=True))
            quick, cheap = (
                statistics.median(
                    base[n] / turn[n] for base, turn in zip(first, turns, strict=True)
                )
                for n in (0, 1)
            )
            print(f"{name:<44}{took:>9.2f}{self.rows / took:>11,.0f}{quick:>8.2f}", end="")
            print(f"{spent:>8.2f}{cheap:>8.2f}")
        print(flush=True)


def import_beside_copy(folder: Path, rows: int) -> None:
    """`flask products import`, from the start of the process to its end; and COPY of the rows that
    it has made into the same tables, with all their indexes, constraints and triggers.
    """
    cluster, path = Cluster(folder / "data"), folder / "catalogue.csv"
    folder.mkdir()
    catalogue(path, rows, 100 * rows)
    url = cluster.ensure()
    migrate(url)
    race = Race(f"import of {rows:,} products", rows, int(str(cluster.status()["pid"])))
    numbers = itertools.count()

    def empty() -> str:
        name = f"copy_{next(numbers)}"
        with administration(at(url, "template1")) as run:
            run(f"CREATE DATABASE {name} TEMPLATE {make_url(url).database}")
        return at(url, name)

    def ours(target: str) -> float:
        command = [sys.executable, "-m", "flask", "products", "import", str(path)]
        environment = {**os.environ, "DATABASE_URL": target, "SECRET_KEY": SECRET}
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        assert status == 0
        return usage.ru_maxrss / 1024

    def copy(target: str, direction: str) -> None:
        with closing(connect(target)) as connection, connection, connection.cursor() as cursor:
            for table in TABLES:
                out = direction == "TO STDOUT"
                source = f"(SELECT * FROM {table} ORDER BY id)" if out else table
                with (folder / table).open("wb" if out else "rb") as file:
                    cursor.copy_expert(f"COPY {source} {direction}", file, 2**20)

    first = empty()
    ours(first)
    copy(first, "TO STDOUT")
    for _ in range(ROUNDS):
        target = empty()
        with race.turn(f"COPY {', '.join(TABLES)}"):
            copy(target, "FROM STDIN")
        target = empty()
        with race.turn("flask products import"):
            peak = ours(target)
    race.report()
    print(f"The process of the import had {peak:.0f} MiB at most.")
    cluster.stop()


def export_beside_copy(shop: Shop, path: Path, rows: int) -> None:
    """Downloads, and COPY of the same columns in the same order, each into a file."""
    with closing(shop.server.connect()) as connection:
        connection.autocommit = True
        connection.cursor().execute(ROWS, [rows])
        connection.cursor().execute("VACUUM ANALYZE products")
    columns = ", ".join(EXPORTED)
    read = f"SELECT {columns} FROM products ORDER BY id"
    written = f"SELECT row_to_json(row) FROM ({read}) AS row"
    races = {
        "CSV": ([f"COPY ({read})", "FORMAT csv"], ["?format=csv", "?neutralise=true"]),
        "NDJSON": ([f"COPY ({written})", "FORMAT text"], ["?format=ndjson"]),
    }
    for format, ((select, form), queries) in races.items():
        race = Race(f"export of {rows:,} products, {format}", rows, *shop.pids)
        for _ in range(ROUNDS):
            with (
                closing(shop.server.connect()) as connection,
                path.open("wb") as file,
                race.turn(f"COPY TO STDOUT ({form})"),
            ):
                connection.cursor().copy_expert(f"{select} TO STDOUT ({form})", file, 2**20)
            for query in queries:
                with race.turn(f"GET /products/export{query}"):
                    shop.export(query, path)
        race.report()


def catalogue(path: Path, rows: int, size: int) -> None:
    """So many rows, in a file of this size."""
    with path.open("w") as file:
        file.write("name,description,price,stock\n")
        pad = max(0, size // rows - 45)
        for n in range(rows):
            file.write(
                f'Product {n},"{"Brass, old. " * (pad // 12)}",{n % 10_000 + 1}.99,{n % 1000}\n'
            )


def main() -> None:
    """Beside COPY, and a file as large as may be sent; or one of yours in, out, and in again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--file", type=Path, help="a CSV file to import, export and import again")
    parser.add_argument("--columns", default="", help="&name_column=…&price_column=…")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        if chosen.file:
            there_and_back(folder, chosen.file, chosen.columns)
        else:
            large(folder, chosen.rows)


def large(folder: Path, rows: int) -> None:
    """A tenth of the rows in and all of them out, and a file nearly as large as may be sent."""
    path = folder / "file"
    import_beside_copy(folder / "copy", rows // 10)
    with opened(folder / "one") as shop:
        catalogue(path, 300_000, 50 * 2**20 - 100_000)
        for query in ("?dry_run=true", "?"):
            shop.upload(query, path)
    with opened(folder / "two") as shop:
        export_beside_copy(shop, path, rows)


def there_and_back(folder: Path, given: Path, columns: str) -> None:
    """What comes out of one catalogue goes into an empty one, and comes out the same."""
    first, second = folder / "first.csv", folder / "second.csv"
    with opened(folder / "one") as shop:
        shop.upload(f"?skip_refused=true{columns}", given)
        shop.export("?format=csv", first)
    with opened(folder / "two") as shop:
        shop.upload("?", first)
        shop.export("?format=csv", second)
    same = fields(first) == fields(second)
    print(
        f"{len(fields(first)) - 1:,} products; out of the second catalogue comes the same: {same}"
    )


def fields(path: Path) -> list[list[str]]:
    """The rows of an export without when they were made."""
    with path.open(newline="", encoding="utf-8") as file:
        return [row[1:-2] for row in csv.reader(file)]


if __name__ == "__main__":
    main()
