"""`make bench`: what a request costs, on this machine, now, and what it could not cost less than.

One run imports a catalogue into an embedded PostgreSQL with durable settings, and loads in turn,
workload after workload and round after round: us; `tests/bare.py`, which says the same statements
by psycopg2 under the same gunicorn and does nothing else, the limit for Python here; and pgbench
with the same statements, the database's own limit. The statements are not written down here: the
application is overheard. Limits of rate are off.

CPU time per request (application and PostgreSQL together; of pgbench only PostgreSQL's) is the
steadier figure: the load generator is Python and shares the processors, so requests per second are
a lower bound. Ratios are medians of those within a round.
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import json
import os
import random
import re
import selectors
import socket
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, redirect_stderr, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from flask.testing import FlaskClient
from psycopg2 import extensions
from sqlalchemy import event

from config import NAME, Config
from project import create_app
from project.db import db
from project.db.connections import engine_options
from project.embedded import Cluster
from project.embedded.cluster import find
from tests.server import Server

SECRET = "a secret of thirty-two bytes at least"
WORDS = ("Oak", "Steel", "Linen", "Glass", "Copper", "Bamboo", "Walnut", "Marble")
THINGS = ("Lamp", "Kettle", "Chair", "Mug", "Shelf", "Rug", "Clock", "Basket", "Stool")
PRODUCTS = "/api/v1/products/"
NEW = '{"name": "Bench %(number)s", "price": "19.99", "stock": 25}'
CODES = 9_000_000  # of seven digits each, so that none is part of another
MARKS = {"id": 987_654_321, "code": 8_121_212, "quantity": 343_434, "number": 565_656_565}
PREPARED, EXECUTED = re.compile(r"(?s)PREPARE (\w+) .*"), re.compile(r"\bEXECUTE (\w+)")
TARGETS = ("ours", "bare", "pgbench")
OPTIONS: str = engine_options(1)["connect_args"]["options"]  # of the application's connections
NUMBER = re.compile(r"-?\d+")
NUMBERS = itertools.count(1)
HEAD = re.compile(rb"(?is)HTTP/1.1 (\d).*?\r\ncontent-length: (\d+)(?=\r\n).*?\r\n\r\n")
DRAWN = f"""\
\\set id random(1, :rows)
\\set code 1000000 + :id * 48271 % {CODES}
\\set quantity 2 * random(0, 1) - 1
\\set made :made + 1
\\set number :base + :client_id * 10000000 + :made
"""

Values = dict[str, int]


class Bare(Server):
    """The other application, under the same gunicorn with the same settings."""

    application = "tests.bare:app"


@dataclass
class Kind:
    """Requests that differ in numbers only, and what the application says to PostgreSQL for them.

    plans: what a connection is told once. count: what is asked only when a total may have changed.
    Where the request has its numbers, it and `statements` have `%(id)s` and the like.
    """

    method: str
    path: str
    body: str = ""
    limit: int | None = None
    plans: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    count: str | None = None

    def spell(self, values: Values, token: dict[str, str]) -> bytes:
        """The request as it goes over the wire; reading is public."""
        body = self.body % values
        given = {"Host": "localhost"}
        if self.method != "GET":
            given |= {**token, "Content-Length": str(len(body))}
        if body:
            given["Content-Type"] = "application/json"
        lines = [f"{self.method} {self.path % values} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in given.items()]
        return "\r\n".join([*lines, "", body]).encode()

    def for_bare(self) -> tuple[str, dict[str, Any]]:
        """By what `tests/bare.py` knows a request of this kind, and what it needs to answer it."""
        query = "" if "?" in self.path else "?"
        asked = f"{self.method} {self.path}{query}{self.body}" % MARKS
        numbers = NUMBER.findall(asked)
        marks = {name: str(mark) for name, mark in MARKS.items()}
        places = {name: numbers.index(mark) for name, mark in marks.items() if mark in numbers}
        return NUMBER.sub("#", asked), {**asdict(self), "places": places}

    def for_pgbench(self, file: Path, fixed: Values) -> None:
        """The same as a script; `fresh_…` is 1 until the client has had its plans made."""
        fresh = f"fresh_{file.stem}"
        plans = "".join(f"{plan};\n" for plan in self.plans)
        known = "".join(f"\\set {name} {value}\n" for name, value in fixed.items())
        said = "".join(f"{statement};\n" for statement in self.statements)
        said %= {name: f":{name}" for name in MARKS}
        said = said.replace("BEGIN; ", "BEGIN\\; ")  # sent together, as we do
        file.write_text(f"\\if :{fresh}\n{plans}\\set {fresh} 0\n\\endif\n{DRAWN}{known}{said}")


@dataclass
class Workload:
    """Requests of some kinds, each so many times in a hundred, and what its rounds measured.

    fixed: the values that are the same in every request.
    """

    name: str
    kinds: list[tuple[int, Kind]]
    fixed: Values = field(default_factory=dict)
    rates: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    costs: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def requests(self, rows: int, token: dict[str, str]) -> Callable[[], bytes]:
        """What draws the next request, with other values each time."""
        hundred = [kind for times, kind in self.kinds for _ in range(times)]

        def draw() -> bytes:
            return random.choice(hundred).spell({**drawn(rows), **self.fixed}, token)

        return draw

    def note(self, target: str, run: Callable[[], tuple[int, float]], pids: Sequence[int]) -> None:
        """Run, and note how many requests a second that were, and their CPU milliseconds each."""
        before = cpu_seconds(pids)
        answered, seconds = run()
        self.rates[target].append(answered / seconds)
        self.costs[target].append((cpu_seconds(pids) - before) * 1000 / answered)


def drawn(rows: int) -> Values:
    """Values for a request, as pgbench draws them in `DRAWN`."""
    id = random.randint(1, rows)
    quantity = random.choice((-1, 1))
    return {"id": id, "code": code(id), "quantity": quantity, "number": next(NUMBERS)}


def code(id: int) -> int:
    """What only the name of this product contains."""
    return 1_000_000 + id * 48271 % CODES


def workloads(rows: int, cursor: str) -> list[Workload]:
    """What is measured; the last two are made of the kinds of those before.

    cursor: goes on behind the page by offset.
    """
    deep = rows * 9 // 10
    one = Kind("GET", f"{PRODUCTS}%(id)s")
    hundred = Kind("GET", PRODUCTS, limit=100)
    twenty = Kind("GET", f"{PRODUCTS}?limit=20", limit=20)
    common = Kind("GET", f"{PRODUCTS}search/?q=steel&limit=20", limit=20)
    rare = Kind("GET", f"{PRODUCTS}search/?q=k%(code)s&limit=20", limit=20)
    offset = Kind("GET", f"{PRODUCTS}?skip={deep}&limit=20", limit=20)
    onwards = Kind("GET", f"{PRODUCTS}?cursor={cursor}&limit=20", limit=20)
    create = Kind("POST", PRODUCTS, NEW)
    adjust = Kind("PATCH", f"{PRODUCTS}%(id)s/stock?quantity=%(quantity)s")
    mix = [(55, one), (15, twenty), (10, common), (15, adjust), (5, create)]
    return [
        Workload("get one", [(100, one)]),
        Workload("list 100 with total", [(100, hundred)]),
        Workload("list 20 with total", [(100, twenty)]),
        Workload("search, common", [(100, common)]),
        Workload("search, rare", [(100, rare)]),
        Workload("page at 90 % by offset", [(100, offset)]),
        Workload("page by cursor", [(100, onwards)]),
        Workload("create", [(100, create)]),
        Workload("adjust stock, random", [(100, adjust)]),
        Workload("adjust stock, one row", [(100, adjust)], {"id": 1}),
        Workload("mix 55/15/10/15/5", mix),
    ]


def fill(server: Server, folder: Path, rows: int) -> None:
    """Migrate, and import so many products in the shape of a real shop's."""
    path = folder / "catalogue.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("name", "price", "stock"))
        for n in range(1, rows + 1):
            name = f"{WORDS[n * 7919 % len(WORDS)]} {THINGS[n * 104729 % len(THINGS)]} K{code(n)}"
            table.writerow((name, f"{(n * 48271 % 99900 + 100) / 100:.2f}", 100 + n * 65537 % 900))
    assert server.flask("db", "upgrade").returncode == 0
    began = time.perf_counter()
    done = server.flask("products", "import", str(path))
    seconds = time.perf_counter() - began
    assert done.returncode == 0, done.stderr
    print(f"import of {rows:,} products: {seconds:.1f} s, {rows / seconds:,.0f} rows/s")
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(  # the one that is asked for while the application is overheard
            "INSERT INTO products (id, name, price, stock) VALUES (%s, 'Marked', 1, 1000000)",
            [MARKS["id"]],
        )
        connection.commit()
        connection.autocommit = True
        cursor.execute("VACUUM (ANALYZE)")


def overhear(kinds: Sequence[Kind], server: Server, token: dict[str, str]) -> None:
    """Learn what the application says to PostgreSQL for a request of each kind.

    Each is asked for twice: what is said only the first time makes plans, or counts. A plan that
    another kind has made already is not made again.
    """
    client, said = listen(server)
    plans: dict[str, str] = {}
    for kind in kinds:
        heard = []
        for values in ({**MARKS, "number": 0}, MARKS):
            said.clear()
            path, body = kind.path % values, json.loads(kind.body % values or "null")
            with redirect_stderr(io.StringIO()):  # the log
                answer = client.open(path, method=kind.method, json=body, headers=token)
            assert answer.status_code < 300, answer.get_data()
            heard.append(list(said))
        first, again = heard
        plans |= {made[1]: made[0] for each in first if (made := PREPARED.match(each))}
        kind.plans = [plans[name] for each in again for name in EXECUTED.findall(each)]
        kind.statements = [marked(statement) for statement in again]
        if kind.limit is not None:
            once = [marked(each) for each in first if each not in (*kind.plans, *again)]
            kind.count = once[0] if once else None


def listen(server: Server) -> tuple[FlaskClient, list[str]]:
    """A client of the same application in this process, and what that says to PostgreSQL."""
    said: list[str] = []

    class Overheard(extensions.cursor):
        def execute(self, sql: Any, values: Any = None) -> None:
            said.append(self.mogrify(sql, values).decode())
            super().execute(sql, values)

    def connected(connection: Any, _: object) -> None:
        connection.cursor_factory = Overheard

    url, folder = server.environment["DATABASE_URL"], Path(server.environment["DATA_DIR"])
    settings = Config(database_url=url, secret_key=SECRET, data_dir=folder, ratelimit_enabled=False)
    app = create_app(settings)
    with app.app_context():
        event.listen(db.engine, "connect", connected)
    return app.test_client(), said


def marked(statement: str) -> str:
    """A statement with `%(id)s` in place of the mark of an id, and so on."""
    text = statement.replace("%", "%%")
    for name, mark in MARKS.items():
        text = text.replace(str(mark), f"%({name})s")
    return text


def load(port: int, draw: Callable[[], bytes], seconds: float, clients: int) -> tuple[int, float]:
    """How many requests were answered by so many connections, and in how many seconds.

    One thread for all of them: it takes less from the server than a thread for each. Raises
    AssertionError for a refusal.
    """
    answered = 0
    began = time.perf_counter()
    with ExitStack() as opened, selectors.DefaultSelector() as waiting:
        for _ in range(clients):
            client = opened.enter_context(socket.create_connection(("127.0.0.1", port)))
            waiting.register(client, selectors.EVENT_READ, client)
            client.sendall(draw())
        while waiting.get_map():
            for key, _ in waiting.select():
                client = key.data
                receive(client)
                answered += 1
                if time.perf_counter() - began < seconds:
                    client.sendall(draw())
                else:
                    waiting.unregister(client)
    return answered, time.perf_counter() - began


def receive(client: socket.socket) -> bytes:
    """The body of the answer that has begun to come."""
    raw = b""
    while not (head := HEAD.match(raw)) or len(raw) < head.end() + int(head[2]):
        came = client.recv(65_536)
        assert came, f"the connection was closed after {raw!r}"
        raw += came
    assert head[1] == b"2", raw
    return raw[head.end() :]


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time so far of these processes and all below them, those ended too."""
    total = 0.0
    for parent in map(psutil.Process, pids):
        for process in (parent, *parent.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):  # its parent has its time then
                total += sum(process.cpu_times()[:4])
    return total


def pgbench(
    workload: Workload, cluster: Cluster, folder: Path, rows: int, seconds: int, clients: int
) -> tuple[int, float]:
    """How many transactions pgbench made of a workload's statements, and in how many seconds."""
    given = {"rows": rows, "made": 0, "base": next(NUMBERS) * 10**10}
    command = [str(find() / "pgbench"), "-n", "-T", str(seconds), "-c", str(clients), "-j", "2"]
    for place, (weight, kind) in enumerate(workload.kinds):
        script = folder / f"script{place}"
        kind.for_pgbench(script, workload.fixed)
        command += ["-f", f"{script}@{weight}"]
        given[f"fresh_{script.stem}"] = 1
    command += [f"-D{name}={value}" for name, value in given.items()]
    told = subprocess.run(
        [*command, "-h", str(cluster.socket), "-U", NAME, NAME],
        env={**os.environ, "PGOPTIONS": OPTIONS},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    made, *_ = re.findall(r"actually processed: (\d+)", told.stdout)  # then of each script
    rate, *_ = re.findall(r"tps = ([\d.]+)", told.stdout)
    return int(made), int(made) / float(rate)


def compare(kinds: Sequence[Kind], ports: Sequence[int], rows: int) -> None:
    """Raise AssertionError if bare reads anything else than we do."""
    for kind in kinds:
        if kind.method != "GET":
            continue
        request, answers = kind.spell(drawn(rows), {}), []
        for port in ports:
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(request)
                answers.append(json.loads(receive(client)))
        ours, bare = answers
        assert {name: ours[name] for name in bare} == bare, (ours, bare)


def report(measured: Sequence[Workload]) -> None:
    """Medians over the rounds, and of the ratios within each."""
    columns = f"{'ours':>9}{'bare':>9}{'pgbench':>9}{'ours ÷ bare':>13}"
    print(f"\n{'':<23}{'requests per second':>40}{'CPU ms per request':>40}")
    print(f"{'workload':<23}{columns}{columns}")
    for workload in measured:
        line = f"{workload.name:<23}"
        for figures, digits in ((workload.rates, 0), (workload.costs, 3)):
            for target in TARGETS:
                line += f"{statistics.median(figures[target]):>9,.{digits}f}"
            pairs = zip(figures["ours"], figures["bare"], strict=True)
            line += f"{statistics.median(ours / bare for ours, bare in pairs):>13.2f}"
        print(line)


def opposite(ours: Server, measured: Sequence[Workload], token: dict[str, str]) -> Bare:
    """What says the same to the same database, once it is known what we say."""
    kinds = [kind for workload in measured[:-2] for _, kind in workload.kinds]
    overhear(kinds, ours, token)
    url, folder = ours.environment["DATABASE_URL"], Path(ours.environment["DATA_DIR"])
    spoken = folder / "spoken.json"
    known = {"dsn": url.replace("+psycopg2", ""), "options": OPTIONS}
    spoken.write_text(json.dumps({**known, "kinds": dict(kind.for_bare() for kind in kinds)}))
    return Bare(url, folder, SECRET, BARE_SPOKEN=str(spoken))


def begin(
    folder: Path, rows: int, running: ExitStack
) -> tuple[Cluster, Server, Bare, list[Workload], dict[str, str]]:
    """Both servers over one database, which answer the same; and a token for ours."""
    cluster = Cluster(folder / "data")
    url = cluster.ensure()
    running.callback(cluster.stop)
    ours = running.enter_context(Server(url, folder, SECRET))
    fill(ours, folder, rows)
    token = ours.sign_in()
    _, page, _ = ours.call("GET", f"{PRODUCTS}?skip={rows * 9 // 10}&limit=20")
    measured = workloads(rows, page["next_cursor"])
    bare = running.enter_context(opposite(ours, measured, token))
    compare([kind for each in measured for _, kind in each.kinds], [ours.port, bare.port], rows)
    return cluster, ours, bare, measured, token


def main() -> None:
    """Read the options, run, print."""
    options = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--seconds", type=int, default=1, help="of each measurement")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--clients", type=int, default=8)
    chosen = options.parse_args()
    rows, seconds, clients = chosen.rows, chosen.seconds, chosen.clients
    if not 1_000 <= rows <= 1_000_000:
        options.error("--rows must be from 1000 to 1000000.")
    if min(seconds, clients, chosen.rounds) < 1:
        options.error("--seconds, --rounds and --clients must be 1 or more.")
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as running:
        folder = Path(name)
        cluster, ours, bare, measured, token = begin(folder, rows, running)
        database = int(str(cluster.status()["pid"]))
        servers = {"ours": ours, "bare": bare}
        for workload, server in itertools.product(measured, servers.values()):  # to be warm
            load(server.port, workload.requests(rows, token), 0.2, clients)
        print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before the first round")
        for _, workload in itertools.product(range(chosen.rounds), measured):
            for target, server in servers.items():
                draw = workload.requests(rows, token)
                run = partial(load, server.port, draw, seconds, clients)
                workload.note(target, run, [server.process.pid, database])
            run = partial(pgbench, workload, cluster, folder, rows, seconds, clients)
            workload.note("pgbench", run, [database])
        report(measured)


if __name__ == "__main__":
    main()
