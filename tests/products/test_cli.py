"""`flask products import`: all or nothing, a report of what was refused, in constant memory."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask.testing import FlaskClient
from sqlalchemy import select

from config import ROOT
from project.db import db
from project.http.app import App
from project.products.models import Product
from tests.products.make import make_product
from tests.server import Server

# As a shop wrote them: no name, no price, one name for several codes, spaces at either end.
SHOP = """\
StockCode,Description,Price
85048,15CM CHRISTMAS GLASS BALL 20 LIGHTS,7.95
79323W, WHITE CHERRY LIGHTS,6.75
22041,"RECORD FRAME 7"" SINGLE SIZE ",2.55
21523,,0.0
35004B,,4.5
20713,WHITE CHERRY LIGHTS ,6.75
84507B,"STRIPES DESIGN TEDDY, LARGE",-3.0
10002,INFLATABLE POLITICAL GLOBE ,0.001
10080,GROOVY CACTUS INFLATABLE,0.85
90214A,GROOVY CACTUS INFLATABLE,1.25
"""
COLUMNS = ("--name-column", "Description", "--price-column", "Price")
REASONS = """\
line 5: name: Must not be blank. (blank)
line 5: price: Must be between 0.01 and 99999999.99. (out_of_range)
line 6: name: Must not be blank. (blank)
line 7: name: Product with name 'WHITE CHERRY LIGHTS' already exists (duplicate_name)
line 8: price: Must be between 0.01 and 99999999.99. (out_of_range)
line 9: price: Must be between 0.01 and 99999999.99. (out_of_range)
line 11: name: Product with name 'GROOVY CACTUS INFLATABLE' already exists (duplicate_name)
Ignored columns: 'StockCode'.
10 rows: 4 new, 0 changed, 0 unchanged, 6 refused.
"""
KEPT = [
    "15CM CHRISTMAS GLASS BALL 20 LIGHTS",
    "WHITE CHERRY LIGHTS",
    'RECORD FRAME 7" SINGLE SIZE',
    "GROOVY CACTUS INFLATABLE",
]
REFUSED = "Nothing was written, as rows were refused; --skip-refused keeps the good ones.\n"
DRY = "Nothing was written: this was a dry run.\n"

Import = Callable[..., Result]


@pytest.fixture
def run(app: App, isolated: None, tmp_path: Path) -> Import:
    """Import a file of this content."""

    def invoke(content: str, *options: str) -> Result:
        path = tmp_path / "products.csv"
        path.write_text(content, encoding="utf-8")
        return app.test_cli_runner().invoke(args=["products", "import", str(path), *options])

    return invoke


def names(app: App) -> list[str]:
    with app.app_context():
        return list(db.session.scalars(select(Product.name).order_by(Product.id)))


def test_one_refused_row_and_nothing_is_written(app: App, run: Import) -> None:
    result = run(SHOP, *COLUMNS)
    assert (result.stdout, result.exit_code) == (REASONS + REFUSED, 1)
    assert result.stderr == ""
    assert names(app) == []


def test_the_good_rows_are_kept_on_request(app: App, run: Import) -> None:
    result = run(SHOP, *COLUMNS, "--skip-refused")
    assert (result.stdout, result.exit_code) == (REASONS, 0)
    assert names(app) == KEPT
    assert '"event": "products.imported"' in result.stderr


def test_a_file_without_a_fault_is_taken_whole(app: App, run: Import) -> None:
    result = run("name,price\nLamp,1\nDesk,2\n")
    assert result.stdout == "2 rows: 2 new, 0 changed, 0 unchanged, 0 refused.\n"
    assert (result.exit_code, names(app)) == (0, ["Lamp", "Desk"])


@pytest.mark.parametrize(("options", "code"), [([], 1), (["--skip-refused"], 0)])
def test_a_dry_run_reports_the_same_and_writes_nothing(
    app: App, run: Import, options: list[str], code: int
) -> None:
    result = run(SHOP, *COLUMNS, "--dry-run", *options)
    assert (result.stdout, result.exit_code) == (REASONS + DRY, code)
    assert result.stderr == ""
    assert names(app) == []


def test_a_dry_run_without_a_fault_writes_nothing_either(app: App, run: Import) -> None:
    result = run("name,price\nLamp,1\n", "--dry-run")
    said = "1 row: 1 new, 0 changed, 0 unchanged, 0 refused.\n"
    assert (result.stdout, result.exit_code) == (said + DRY, 0)
    assert names(app) == []


def test_importing_again_finds_every_name_taken_or_unchanged(app: App, run: Import) -> None:
    run(SHOP, *COLUMNS, "--skip-refused")
    again = run(SHOP, *COLUMNS, "--skip-refused")
    assert again.stdout.endswith("10 rows: 0 new, 0 changed, 0 unchanged, 10 refused.\n")
    updated = run(SHOP.replace("0.85", "0.95"), *COLUMNS, "--skip-refused", "--update")
    assert updated.stdout.endswith("10 rows: 0 new, 1 changed, 3 unchanged, 6 refused.\n")
    assert names(app) == KEPT


def test_a_refused_row_undoes_an_update_as_well(app: App, run: Import) -> None:
    run("name,price\nLamp,1\n")
    assert run("name,price\nLamp,2\n,3\n", "--update").exit_code == 1
    with app.app_context():
        assert [(p.price, p.version) for p in db.session.scalars(select(Product))] == [
            (Decimal(1), 1)
        ]


@pytest.mark.parametrize(
    "document",
    [
        {"name": "", "price": "1"},
        {"name": "x" * 256, "price": "1"},
        {"name": "Lamp", "price": "", "stock": -1},
        {"name": "Lamp", "price": "1.999"},
        {"name": "Lamp", "price": "100000000"},
        {"name": "Lamp", "price": "1,5"},
        {"name": "Lamp", "price": "\u0661"},
        {"name": "Lamp", "price": "NaN", "description": "x" * 2001},
        {"name": " ", "price": "1", "stock": 2**31},
        {"name": "Lamp", "price": "1", "stock": "many", "is_active": "yes"},
        {"name": "Taken", "price": "1"},
    ],
)
def test_a_row_is_refused_in_the_words_of_the_api(
    app: App, run: Import, client: FlaskClient, signed_in: dict[str, str], document: dict[str, Any]
) -> None:
    with app.app_context():
        make_product(name="Taken")
        db.session.commit()
    cells = [f'"{cell}"' for cell in document.values()]
    report = run(",".join(document) + "\n" + ",".join(cells) + "\n").stdout.splitlines()[:-2]
    answer = client.post("/api/v1/products/", json=document, headers=signed_in).json
    assert answer is not None
    single = {"field": "name", "message": answer["detail"], "code": answer["code"]}
    errors = answer.get("errors", [single])
    assert sorted(report) == sorted(
        f"line 2: {error['field']}: {error['message']} ({error['code']})" for error in errors
    )


def test_a_row_of_another_length_is_named_by_its_line_alone(run: Import) -> None:
    report = run("name,price\nLamp,1,2\n").stdout
    assert report.startswith("line 2: The row has 3 cells, the header 2. (cells)\n")


def test_a_report_has_one_line_for_a_reason_whatever_the_name_holds(run: Import) -> None:
    report = run('name,price\n"a\x1b[31m\nb",1\n"a\x1b[31m\nb",1\n').stdout
    said = "line 4: name: Product with name 'a\\x1b[31m\\nb' already exists (duplicate_name)\n"
    assert report.startswith(said)


def test_standard_input_is_a_file_as_well(app: App, isolated: None) -> None:
    runner = app.test_cli_runner()
    result = runner.invoke(args=["products", "import", "-"], input="name,price\nLämp,1\n")
    assert (result.exit_code, names(app)) == (0, ["Lämp"])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "Error: The file is empty.\n"),
        (b"name\nLamp\n", "Error: There is no column 'price'; the header has 'name'.\n"),
        (b"name,price\nLamp,1\n\xff,1\n", "Error: Line 3 is not valid UTF-8.\n"),
        (b"name,price\nLamp,1\n\0,1\n", "Error: Line 3 holds a NUL: this is not a text file.\n"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(
    app: App, isolated: None, tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "products.csv"
    path.write_bytes(content)
    result = app.test_cli_runner().invoke(args=["products", "import", str(path), "--skip-refused"])
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", sentence)
    assert names(app) == []


def test_a_file_that_is_not_there_is_one_sentence(app: App, isolated: None, tmp_path: Path) -> None:
    missing = tmp_path / "missing.csv"
    for path, reason in [(missing, "No such file or directory"), (tmp_path, "Is a directory")]:
        result = app.test_cli_runner().invoke(args=["products", "import", str(path)])
        assert result.stderr == f"Error: Cannot read {path}: {reason}.\n"
        assert (result.exit_code, result.stdout) == (1, "")


# What only processes and real commits can show.


def ask(server: Server, statement: str) -> list[tuple[Any, ...]]:
    with closing(server.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def catalogue(path: Path, rows: list[str]) -> str:
    path.write_text("name,price,description\n" + "\n".join(rows) + "\n")
    return str(path)


def waiting(server: Server) -> int:
    found = ask(
        server,
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'",
    )
    return int(found[0][0])


def test_two_imports_and_a_writer_at_once_make_each_product_once(
    server: Server, tmp_path: Path
) -> None:
    rows = [f"Race {n},1," for n in range(400)]
    forth = catalogue(tmp_path / "forth.csv", rows)
    back = catalogue(tmp_path / "back.csv", rows[::-1])
    with closing(server.connect()) as writer, ThreadPoolExecutor(2) as threads:
        with writer.cursor() as cursor:
            cursor.execute("INSERT INTO products (name, price) VALUES ('Race 200', 2)")
        options = ("products", "import", "--skip-refused")
        running = [threads.submit(server.flask, *options, path) for path in (forth, back)]
        deadline = time.monotonic() + 30
        while waiting(server) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(2.1)  # longer than a request may wait for a lock
        writer.commit()
        results = [process.result() for process in running]
    assert [result.returncode for result in results] == [0, 0], results
    assert sorted(result.stdout.splitlines()[-1] for result in results) == [
        "400 rows: 0 new, 0 changed, 0 unchanged, 400 refused.",
        "400 rows: 399 new, 0 changed, 0 unchanged, 1 refused.",
    ]
    counted = ask(server, "SELECT count(*), max(price) FROM products WHERE name LIKE 'Race %'")
    assert counted == [(400, 2)]


def test_two_imports_of_one_file_at_once_both_end_in_a_sentence(
    server: Server, tmp_path: Path
) -> None:
    path = catalogue(tmp_path / "twice.csv", [f"Twice {n},1," for n in range(3_000)])
    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(lambda _: server.flask("products", "import", path), range(2)))
    assert sorted(result.returncode for result in results) == [0, 1]
    assert not any("Traceback" in result.stderr for result in results)
    assert ask(server, "SELECT count(*) FROM products WHERE name LIKE 'Twice %'") == [(3_000,)]


PEAK = """
import re, sys
from pathlib import Path
from flask.cli import main
try:
    main()
finally:
    peak = re.search(r"VmHWM:\\s+([0-9]+) kB", Path("/proc/self/status").read_text())
    print(peak[1], file=sys.stderr)
"""


def peak(server: Server, path: str) -> int:
    """KiB of the greatest memory an import of this file ever took, all of its rows refused."""
    run = subprocess.run(
        [sys.executable, "-c", PEAK, "products", "import", path],
        cwd=ROOT,
        env=server.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.endswith(REFUSED), run.stderr
    return int(run.stderr.split()[-1])


def test_ten_times_the_rows_take_no_more_memory(server: Server, tmp_path: Path) -> None:
    text = "x" * 200
    taken = [f"Peak {n % 10},1,{text}" for n in range(50_000)]
    blank = [f",0,{text}"] * 25_000
    few = peak(server, catalogue(tmp_path / "few.csv", taken[:2_500] + blank[:2_500]))
    many = peak(server, catalogue(tmp_path / "many.csv", taken[:25_000] + blank))
    assert many - few < 4 * 1024, (few, many)  # the file alone is 10 MiB


def test_good_rows_take_no_more_memory_either(server: Server, tmp_path: Path) -> None:
    rows = [f"Good {n},1,{'x' * 200}" for n in range(50_000)]
    few = peak(server, catalogue(tmp_path / "few.csv", [*rows[:5_000], ",1,"]))
    many = peak(server, catalogue(tmp_path / "many.csv", [*rows, ",1,"]))
    assert many - few < 4 * 1024, (few, many)


def test_a_bar_is_shown_on_a_terminal_only(server: Server, tmp_path: Path) -> None:
    path = catalogue(tmp_path / "bar.csv", [f"Bar {n},0," for n in range(300)])
    assert server.flask("products", "import", path).stderr == ""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "flask", "products", "import", path]
    with (tmp_path / "report").open("w+b") as report:
        process = subprocess.Popen(
            command, cwd=ROOT, env=server.environment, stdout=report, stderr=theirs
        )
        os.close(theirs)
        shown = b"".join(pieces(ours))
        assert process.wait(30) == 1
        report.seek(0)
        assert b"%" not in report.read()
    assert b"100%" in shown


def pieces(terminal: int) -> Iterator[bytes]:
    """What a terminal shows until nobody writes to it any more."""
    with open(terminal, "rb", buffering=0) as screen, suppress(OSError):
        while piece := screen.read(4_096):
            yield piece
