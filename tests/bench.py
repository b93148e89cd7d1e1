"""`make bench`: what a request costs, on this machine, now.

One run imports a catalogue, starts a real gunicorn on an embedded PostgreSQL with durable settings,
and loads it over keep-alive connections, workload after workload, in several rounds. CPU time per
request (application and PostgreSQL together) is the steadier figure: the load generator is Python
and shares the processors, so requests per second are a lower bound. Ratios are to `/healthz`, the
same server and frame without a question to the database, within the same round.
"""

from __future__ import annotations

import argparse
import csv
import http.client
import itertools
import json
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from project.embedded import Cluster
from tests.server import Server

SECRET = "a secret of thirty-two bytes at least"
WORDS = ("Oak", "Steel", "Linen", "Glass", "Copper", "Bamboo", "Walnut", "Marble")
THINGS = ("Lamp", "Kettle", "Chair", "Mug", "Shelf", "Rug", "Clock", "Basket", "Stool")
PRODUCTS = "/api/v1/products/"

Request = tuple[str, str, str | None]


@dataclass
class Workload:
    """One kind of request, and what its rounds measured."""

    name: str
    request: Callable[[], Request]
    milliseconds: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)


def workloads(rows: int) -> list[Workload]:
    """What is measured; identifiers are drawn anew for every request."""
    stamp, numbers = int(time.time()), itertools.count()

    def create() -> Request:
        name = f"Bench {stamp}-{next(numbers)}"
        return "POST", PRODUCTS, json.dumps({"name": name, "price": "19.99", "stock": 25})

    def adjust() -> Request:
        quantity = random.choice((-1, 1))
        return "PATCH", f"{PRODUCTS}{random.randint(1, rows)}/stock?quantity={quantity}", None

    return [
        Workload("healthz", lambda: ("GET", "/healthz", None)),
        Workload("get one", lambda: ("GET", f"{PRODUCTS}{random.randint(1, rows)}", None)),
        Workload("list 100 with total", lambda: ("GET", PRODUCTS, None)),
        Workload("list 20 with total", lambda: ("GET", f"{PRODUCTS}?limit=20", None)),
        Workload("search, common", lambda: ("GET", f"{PRODUCTS}search/?q=steel&limit=20", None)),
        Workload(
            "search, rare",
            lambda: ("GET", f"{PRODUCTS}search/?q=k{random.randint(1, rows)}x&limit=20", None),
        ),
        Workload("create", create),
        Workload("adjust stock", adjust),
    ]


def fill(server: Server, folder: Path, rows: int) -> None:
    """Migrate, and import so many products in the shape of a real shop's."""
    path = folder / "catalogue.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("name", "price", "stock"))
        for n in range(1, rows + 1):
            name = f"{WORDS[n * 7919 % len(WORDS)]} {THINGS[n * 104729 % len(THINGS)]} K{n}X"
            table.writerow((name, f"{(n * 48271 % 99900 + 100) / 100:.2f}", 100 + n * 65537 % 900))
    assert server.flask("db", "upgrade").returncode == 0
    began = time.perf_counter()
    done = server.flask("products", "import", str(path))
    seconds = time.perf_counter() - began
    assert done.returncode == 0, done.stderr
    print(f"import of {rows:,} products: {seconds:.1f} s, {rows / seconds:,.0f} rows/s\n")


def measure(
    workload: Workload,
    port: int,
    token: dict[str, str],
    *,
    seconds: float,
    clients: int,
    pids: list[int],
) -> None:
    """One round of one workload."""
    timings: list[float] = []
    refused: list[int] = []
    until = time.perf_counter() + seconds

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while (began := time.perf_counter()) < until:
            method, path, body = workload.request()
            kind = {"Content-Type": "application/json"} if body else {}
            connection.request(method, path, body, {**token, **kind})
            answer = connection.getresponse()
            answer.read()
            timings.append((time.perf_counter() - began) * 1000)
            if answer.status >= 400:
                refused.append(answer.status)
        connection.close()

    before, began = cpu_seconds(pids), time.perf_counter()
    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not refused, f"{workload.name}: {len(refused)} refusals, the first a {refused[0]}"
    workload.rates.append(len(timings) / (time.perf_counter() - began))
    workload.costs.append((cpu_seconds(pids) - before) * 1000 / len(timings))
    workload.milliseconds += timings


def cpu_seconds(pids: list[int]) -> float:
    """User and system time so far of these processes and all below them."""
    parents = [psutil.Process(pid) for pid in pids]
    family = [*parents, *(child for parent in parents for child in parent.children(recursive=True))]
    return sum(sum(process.cpu_times()[:2]) for process in family)


def report(measured: list[Workload]) -> None:
    """Medians over the rounds; ratios within each round."""
    columns = f"{'req/s':>9}{'CPU ms/req':>12}{'p50 ms':>9}{'p99 ms':>9}{'CPU ÷ healthz':>15}"
    print(f"{'workload':<22}{columns}")
    for workload in measured:
        ratio = statistics.median(
            cost / base for cost, base in zip(workload.costs, measured[0].costs, strict=True)
        )
        hundredths = statistics.quantiles(workload.milliseconds, n=100)
        print(
            f"{workload.name:<22}{statistics.median(workload.rates):>9,.0f}"
            f"{statistics.median(workload.costs):>12.3f}{hundredths[49]:>9.2f}{hundredths[98]:>9.2f}"
            f"{ratio:>15.2f}"
        )


def main() -> None:
    """Read the options, run, print."""
    options = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--seconds", type=float, default=2)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--clients", type=int, default=8)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="stockroom-bench-") as name:
        folder = Path(name)
        cluster = Cluster(folder / "data")
        with Server(cluster.ensure(), folder, SECRET) as server:
            fill(server, folder, chosen.rows)
            token, measured = server.sign_in(), workloads(chosen.rows)
            pids = [server.process.pid, int(str(cluster.status()["pid"]))]
            for _ in range(chosen.rounds):
                for workload in measured:
                    measure(
                        workload,
                        server.port,
                        token,
                        seconds=chosen.seconds,
                        clients=chosen.clients,
                        pids=pids,
                    )
        report(measured)
        cluster.stop()


if __name__ == "__main__":
    main()
