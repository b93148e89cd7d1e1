"""`make bench-ledger`: a year of a real shop through the ledger, and how fast it was.

One run starts a PostgreSQL with durable settings, imports a catalogue, and replays invoice lines by
several processes at once; then every balance is recomputed, and each product's stock compared with
a sum over the file that none of our code has made. In the same run clients move stock through the
API, and pgbench runs the same statement without us.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import re
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg2
from sqlalchemy import event

from config import NAME, ROOT, Config
from project import create_app
from project.db import db
from project.embedded import Cluster
from project.embedded.cluster import find
from project.errors import NotFound
from project.products.stock import ledger
from tests.bench import PRODUCTS, SECRET, Kind, load
from tests.server import Server

OPENING = 1_000_000  # of each product, so that nothing is refused
PLACE = 987_654_321  # a product id to be replaced by another each time


def rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV file, packed or not."""
    opened: Any = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def fill(server: Server, catalogue: Path, folder: Path) -> None:
    """Migrate, and import the catalogue with the opening stock."""
    path = folder / "catalogue.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("name", "price", "stock"))
        table.writerows((row["Description"], row["Price"], OPENING) for row in rows(catalogue))
    assert server.flask("db", "upgrade").returncode == 0
    done = server.flask("products", "import", str(path), "--skip-refused")
    print(done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stderr


def replay(server: Server, catalogue: Path, lines: Path, parts: int) -> float:
    """Replay the lines by so many processes at once; lines moved per second."""
    command = [sys.executable, "-m", "flask", "stock", "replay", str(lines)]
    command += ["--names", str(catalogue)]
    began = time.perf_counter()
    running = [
        subprocess.Popen(
            [*command, "--part", f"{part}/{parts}"],
            cwd=ROOT,
            env=server.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for part in range(1, parts + 1)
    ]
    said = [process.communicate()[0] for process in running]
    seconds = time.perf_counter() - began
    assert not any(process.returncode for process in running), said
    counted = Counter[str]()
    for text in said:
        for number, what in re.findall(r"([\d,]+) (lines moved|refused|without)", text):
            counted[what] += int(number.replace(",", ""))
    print(f"replayed in {seconds:.1f} s by {parts} processes: {dict(counted)}")
    return counted["lines moved"] / seconds


def differences(url: str, catalogue: Path, lines: Path) -> int:
    """Products whose stock is not the opening less what the file says left the shelf."""
    names = {row["StockCode"]: clean(row["Description"]) for row in rows(catalogue)}
    left = Counter[str]()
    for row in rows(lines):
        left[names.get(row["StockCode"]) or row["StockCode"]] += int(row["Quantity"])
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT name, stock FROM products")
        stocks = dict(cursor.fetchall())
    wrong = [name for name, stock in stocks.items() if stock != OPENING - left[name]]
    print(f"{len(stocks):,} products compared with a sum over the file: {len(wrong)} differ")
    return len(wrong)


def clean(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip())


def statement(url: str) -> str:
    """The statement that moves stock, as the API runs it."""
    seen: list[str] = []
    app = create_app(Config(database_url=url, secret_key=SECRET))
    with app.app_context():

        def listen(_: Any, cursor: Any, sql: str, values: Any, *rest: Any) -> None:
            seen.append(cursor.mogrify(sql, values).decode())

        event.listen(db.engine, "before_cursor_execute", listen)
        with suppress(NotFound):
            ledger.add(PLACE, 1, "adjustment", reason="pgbench")
        db.session.rollback()
        db.engine.dispose()
    return seen[0].replace("\n", " ").replace(str(PLACE), ":id")


def pgbench(cluster: Cluster, url: str, folder: Path, seconds: int, clients: int) -> float:
    """Movements per second of the statement alone."""
    script = folder / "add.sql"
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM products")
        [last] = cursor.fetchone() or [0]
    sql = statement(url.replace("postgresql://", "postgresql+psycopg2://"))
    script.write_text(f"\\set id random(1, {last})\n{sql};\n")
    command = [str(find() / "pgbench"), "-n", "-f", str(script), "-T", str(seconds)]
    command += ["-c", str(clients), "-j", "2", "-h", str(cluster.socket), "-U", NAME]
    told = subprocess.run([*command, NAME], capture_output=True, text=True, check=True)
    return float(re.findall(r"tps = ([\d.]+)", told.stdout)[0])


def through_api(server: Server, url: str, *, seconds: float, clients: int) -> float:
    """Movements per second of so many clients over keep-alive connections."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM products")
        ids = [id for (id,) in cursor.fetchall()]
    numbers, token = iter(range(10**9)), server.sign_in()
    body = '{"quantity": 1, "reason": "bench"}'
    movement = Kind("POST", f"{PRODUCTS}%(id)s/stock/movements/", body)

    def draw() -> bytes:
        return movement.spell({"id": ids[next(numbers) * 7919 % len(ids)]}, token)

    answered, took = load(server.port, draw, seconds, clients)
    return answered / took


def main() -> None:
    """Read the options, run, print."""
    options = argparse.ArgumentParser(prog="make bench-ledger", description=__doc__)
    options.add_argument("catalogue", type=Path, help="CSV: StockCode, Description, Price")
    options.add_argument("lines", type=Path, help="CSV or CSV.gz: Invoice, StockCode, Quantity")
    options.add_argument("--seconds", type=int, default=10)
    options.add_argument("--clients", type=int, default=8)
    options.add_argument("--parts", type=int, default=4)
    chosen = options.parse_args()
    catalogue, lines = chosen.catalogue.absolute(), chosen.lines.absolute()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        cluster = Cluster(folder / "data")
        url = cluster.ensure()
        plain = url.replace("postgresql+psycopg2://", "postgresql://")
        with Server(url, folder, SECRET) as server:
            fill(server, catalogue, folder)
            replayed = replay(server, catalogue, lines, chosen.parts)
            print(f"verify: {server.flask('stock', 'verify').stdout.strip()}")
            assert differences(plain, catalogue, lines) == 0
            seconds, clients = chosen.seconds, chosen.clients
            api = through_api(server, plain, seconds=seconds, clients=clients)
            alone = pgbench(cluster, plain, folder, seconds, clients)
            print(f"verify: {server.flask('stock', 'verify').stdout.strip()}")
        print(f"\n{'movements per second':<44}{'':>9}{'÷ pgbench':>11}")
        for what, rate in (
            (f"pgbench, the statement alone, {clients} clients", alone),
            (f"flask stock replay, {chosen.parts} processes", replayed),
            (f"POST …/stock/movements/, {clients} clients", api),
        ):
            print(f"{what:<44}{rate:>9,.0f}{rate / alone:>11.2f}")
        cluster.stop()


if __name__ == "__main__":
    main()
