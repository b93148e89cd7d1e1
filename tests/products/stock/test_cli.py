"""`flask stock`: verify finds what does not add up; replay loses no line and does none twice."""

from __future__ import annotations

import gzip
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from click.testing import Result
from sqlalchemy import select, text

from config import ROOT
from project.db import db
from project.http.app import App
from project.products.models import Product
from project.products.stock.models import Movement
from project.products.stock.replay import Replay
from tests.products.make import make_product
from tests.server import Server

LINES = """\
Invoice,InvoiceDate,StockCode,Quantity
489434,2009-12-01T07:45:00,85048,12
489434,2009-12-01T07:45:00,79323P,7
489435,2009-12-01T07:46:00,85048,-5
489436,2009-12-01T09:06:00,22041,1
489437,2009-12-01T09:08:00,85048,3
489437,2009-12-01T09:08:00,79323P,94
C489449,2009-12-01T10:33:00,85048,-1
489450,2009-12-01T10:36:00,85048,0
"""
DAMAGE = "Compressed file ended before the end-of-stream marker was reached"
NAMES = "StockCode,Description\n85048,Ball\n79323P, Lights \n22041,\n"
TOLD = """\
line 6: invoice 489437: Insufficient stock. Current: 93, Requested: 94
line 9: quantity: Must not be zero.
Stock codes without a product: 1, such as 22041.
4 lines moved, 2 refused, 1 without a product, 1 malformed.
"""

Flask = Callable[..., Result]


@pytest.fixture
def flask(app: App, isolated: None) -> Flask:
    """Run a command of the room."""
    runner = app.test_cli_runner()
    return lambda *arguments: runner.invoke(args=["stock", *map(str, arguments)])


@pytest.fixture
def shop(app: App, isolated: None, tmp_path: Path) -> Path:
    """Two products, and a folder with the lines of a few invoices."""
    with app.app_context():
        make_product(name="Ball", stock=100)
        make_product(name="Lights", stock=100)
        db.session.commit()
    (tmp_path / "lines.csv").write_text(LINES)
    (tmp_path / "names.csv").write_text(NAMES)
    return tmp_path


def stocks(app: App) -> dict[str, int]:
    with app.app_context():
        return dict(db.session.execute(select(Product.name, Product.stock)).all())


def movements(app: App) -> list[tuple[str, int, str | None]]:
    """What the replay has written: product, quantity, reference."""
    with app.app_context():
        told = select(Product.name, Movement.quantity, Movement.reference)
        told = told.join(Product, Product.id == Movement.product_id)
        return [
            (name, quantity, reference)
            for name, quantity, reference in db.session.execute(
                told.where(Movement.kind != "opening").order_by(Movement.id)
            )
        ]


def test_a_ledger_that_adds_up_is_verified(flask: Flask, shop: Path) -> None:
    result = flask("verify")
    assert (result.stdout, result.exit_code) == ("2 products, 2 movements: 0 differ.\n", 0)


def test_verifying_names_each_product_that_differs(app: App, flask: Flask, shop: Path) -> None:
    with app.app_context():
        right = make_product(name="Right", stock=5).id
        wrong, worse = (make_product(name=name, stock=5).id for name in ("Wrong\n", "Worse"))
        none = make_product(name="None").id
        db.session.execute(text("UPDATE products SET stock = 6 WHERE name LIKE 'Wrong%'"))
        db.session.execute(text("UPDATE products SET stock = 1 WHERE name = 'None'"))
        db.session.execute(text("ALTER TABLE stock_movements DISABLE TRIGGER append_only"))
        spoil = "UPDATE stock_movements SET balance_after = 4 WHERE product_id = :id RETURNING id"
        movement = db.session.scalar(text(spoil), {"id": worse})
        db.session.execute(text("ALTER TABLE stock_movements ENABLE TRIGGER append_only"))
        db.session.commit()
    result = flask("verify")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"Product {wrong} (Wrong\\n): stock is 6, its movements add up to 5.",
        f"Product {worse} (Worse): movement {movement} has another balance than the movements up to"
        " it.",
        f"Product {none} (None): stock is 1, its movements add up to 0.",
        "6 products, 5 movements: 3 differ.",
    ]
    assert f"Product {right} " not in result.stdout


def test_an_empty_ledger_adds_up(flask: Flask) -> None:
    assert flask("verify").stdout == "0 products, 0 movements: 0 differ.\n"


def test_invoices_leave_the_shelf_whole_or_not_at_all(app: App, flask: Flask, shop: Path) -> None:
    result = flask("replay", shop / "lines.csv", "--names", shop / "names.csv")
    assert (result.stdout, result.exit_code) == (TOLD, 0)
    assert stocks(app) == {"Ball": 94, "Lights": 93}
    assert movements(app) == [
        ("Ball", -12, "489434"),
        ("Lights", -7, "489434"),
        ("Ball", 5, "489435"),
        ("Ball", 1, "C489449"),
    ]
    assert flask("verify").exit_code == 0


def test_without_names_a_product_is_called_like_its_code(
    app: App, flask: Flask, shop: Path
) -> None:
    (shop / "lines.csv").write_text("StockCode,Quantity,Invoice\nBall,2,1\nLights,3,2\n")
    result = flask("replay", shop / "lines.csv")
    assert result.stdout.endswith("2 lines moved, 0 refused, 0 without a product, 0 malformed.\n")
    assert stocks(app) == {"Ball": 98, "Lights": 97}


def test_a_packed_file_is_the_same_file(app: App, flask: Flask, shop: Path) -> None:
    names = ("--names", shop / "names.csv")
    (shop / "lines.csv.gz").write_bytes(gzip.compress(LINES.encode()))
    assert flask("replay", shop / "lines.csv.gz", *names).stdout == TOLD
    again = flask("replay", shop / "lines.csv", *names)
    assert "4 lines moved" not in again.stdout
    assert stocks(app) == {"Ball": 94, "Lights": 93}


def test_what_was_stopped_goes_on_where_it_was(
    app: App, flask: Flask, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = Replay._advance

    def stop(replay: Replay, line: int) -> None:
        advance(replay, line)
        if line == 4:  # the movement and the position are written, and not yet committed
            raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr(Replay, "_advance", stop)
        assert flask("replay", shop / "lines.csv", "--names", shop / "names.csv").exit_code == 1
    assert stocks(app) == {"Ball": 88, "Lights": 93}
    result = flask("replay", shop / "lines.csv", "--names", shop / "names.csv")
    assert result.stdout.startswith("Going on after line 3.\n")
    assert "2 lines moved, 2 refused, 1 without a product" in result.stdout
    assert stocks(app) == {"Ball": 94, "Lights": 93}
    done = flask("replay", shop / "lines.csv", "--names", shop / "names.csv")
    assert done.stdout.startswith("Going on after line 8.\n")
    assert "0 lines moved, 0 refused, 0 without a product" in done.stdout
    assert len(movements(app)) == 4


def test_parts_have_every_invoice_once_and_stay_as_they_were_cut(
    app: App, flask: Flask, shop: Path
) -> None:
    path, invoices = shop / "lines.csv", range(20)
    path.write_text("Invoice,StockCode,Quantity\n" + "".join(f"{n},Ball,1\n" for n in invoices))
    said = [flask("replay", path, "--part", part).stdout for part in ("3/3", "1/3", "2/3")]
    assert all(" 0 refused" in each and not each.startswith("0 lines") for each in said)
    references = sorted(int(reference or 0) for _, _, reference in movements(app))
    assert references == [*invoices]
    other = flask("replay", path)
    assert (other.exit_code, other.stderr) == (
        1,
        "Error: This file was begun in 3 parts, so go on with --part 1/3.\n",
    )


@pytest.mark.parametrize(
    "part", ["0/1", "2/1", "1", "1/100", "a/b", "1/2/3", "-1/2", "\u0661/\u0662"]
)
def test_a_part_that_is_none_is_refused(flask: Flask, shop: Path, part: str) -> None:
    result = flask("replay", shop / "lines.csv", f"--part={part}")
    assert result.exit_code == 2
    assert "must be such as 1/4: the first of four parts, of 99 at most." in result.stderr


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file is empty."),
        (b"Invoice,Quantity\n", "There is no column 'StockCode'; the header has 'Invoice'"),
        (b"Invoice,StockCode,Quantity\n1,\xff,1\n", "Line 2 is not valid UTF-8."),
    ],
)
def test_a_file_that_is_none_is_one_sentence(
    flask: Flask, tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "lines.csv"
    path.write_bytes(content)
    result = flask("replay", path)
    assert result.exit_code == 1
    assert f"Error: {sentence}" in result.stderr


def test_a_damaged_archive_is_one_sentence(flask: Flask, tmp_path: Path) -> None:
    path = tmp_path / "lines.csv.gz"
    path.write_bytes(gzip.compress(LINES.encode())[:-20])
    result = flask("replay", path)
    assert result.exit_code == 1
    assert result.stderr == f"Error: {path} is damaged: {DAMAGE}.\n"


def test_a_replay_that_is_killed_again_and_again_does_every_line_once(
    server: Server, tmp_path: Path
) -> None:
    headers = server.sign_in()
    product = {"name": "Killed", "price": "1", "stock": 1_000_000}
    id = server.call("POST", "/api/v1/products/", product, headers)[1]["id"]
    path = tmp_path / "lines.csv"
    rows = [f"{number // 3},Killed,{number % 7 - 3 or 5}" for number in range(1_200)]
    path.write_text("\n".join(["Invoice,StockCode,Quantity", *rows]))
    command = [sys.executable, "-m", "flask", "stock", "replay", str(path)]
    plain = server.environment["DATABASE_URL"].replace("+psycopg2", "")
    with closing(psycopg2.connect(plain)) as connection, connection.cursor() as cursor:
        connection.autocommit = True

        def done() -> int:
            cursor.execute("SELECT coalesce(max(line), 0) FROM stock_replays")
            return int((cursor.fetchone() or [0])[0])

        for _ in range(2):
            before = done()
            running = subprocess.Popen(
                command,
                cwd=ROOT,
                env=server.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            while done() < before + 120:
                assert running.poll() is None
            running.send_signal(signal.SIGKILL)
            running.wait()
        assert 240 <= done() < 1_200
    assert server.flask("stock", "replay", str(path)).returncode == 0
    left = sum(int(row.split(",")[2]) for row in rows)
    _, balance, _ = server.call("GET", f"/api/v1/products/{id}/stock", headers=headers)
    assert balance["stock"] == 1_000_000 - left
    _, page, _ = server.call("GET", f"/api/v1/products/{id}/stock/movements/", headers=headers)
    assert page["total"] == 1_201
    assert server.flask("stock", "verify").returncode == 0
