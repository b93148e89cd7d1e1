"""`POST /products/import`: a report at once, or a job whose result is the same report."""

from __future__ import annotations

import csv
import json
import random
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from project.db import db, transaction
from project.http.app import App
from project.products import bulk
from project.products.models import Product
from project.products.schemas import validate_row
from project.products.stock.models import Movement
from project.uploads import service as uploads
from project.uploads.models import Upload, UploadPiece
from tests.answers import document, problem, replayed
from tests.http.multipart import file
from tests.products.make import make_product
from tests.tables import digests
from tests.work import work

URL = "/api/v1/products/import"
EXPORT = "/api/v1/products/export"
SHOP = "Code,Description,Price\n1, LAMP ,7.95\n2,,0.0\n3,DESK,1\n4,LAMP,2\n"
NAMED = {"name_column": "Description", "price_column": "Price"}
REFUSED = [
    (3, "name", "blank", "Must not be blank."),
    (3, "price", "out_of_range", "Must be between 0.01 and 99999999.99."),
    (5, "name", "duplicate_name", "Product with name 'LAMP' already exists"),
]
REPORT = {
    "rows": 4,
    "new": 2,
    "changed": 0,
    "unchanged": 0,
    "refused": 2,
    "written": True,
    "ignored_columns": ["Code"],
    "refusals": [
        dict(zip(("line", "field", "code", "message"), row, strict=True)) for row in REFUSED
    ],
    "refusals_omitted": 0,
}
Headers = dict[str, str]


class Desk:
    """Sends files as one user, and does the jobs."""

    def __init__(self, app: App, client: FlaskClient, headers: Headers) -> None:
        self.app, self.client, self.headers = app, client, headers

    def send(self, content: str | bytes, **query: str) -> Any:
        return self.client.post(URL, query_string=query, headers=self.headers, **file(content))

    def preview(self, content: str | bytes, **query: str) -> Any:
        return document(self.send(content, dry_run="true", **query))

    def job(self, content: str | bytes, **query: str) -> Any:
        """The job that took it, when it is over."""
        queued = self.send(content, **query)
        document(queued, 202)
        work(self.app)
        return document(self.client.get(queued.headers["Location"], headers=self.headers))

    def take(self, content: str | bytes, **query: str) -> Any:
        """The report of the job."""
        job = self.job(content, **query)
        assert (job["status"], job["error"], job["progress"]) == ("succeeded", None, 100)
        return job["result"]

    def names(self) -> list[str]:
        with self.app.app_context():
            return list(db.session.scalars(select(Product.name).order_by(Product.id)))

    def state(self) -> dict[str, str]:
        with self.app.app_context():
            return digests(db.engines[None])

    def kept(self) -> int:
        """Files, and pieces of files, that wait."""
        with self.app.app_context():
            tables = (select(func.count()).select_from(table) for table in (Upload, UploadPiece))
            return sum(db.session.scalar(found) or 0 for found in tables)


@pytest.fixture
def desk(app: App, client: FlaskClient, signed_in: Headers) -> Desk:
    return Desk(app, client, signed_in)


def test_a_job_takes_the_file_and_reports_what_came_of_it(desk: Desk) -> None:
    queued = desk.send(SHOP, skip_refused="true", **NAMED)
    job = document(queued, 202)
    assert (job["task"], job["status"]) == ("products.import", "todo")
    assert queued.headers["Location"] == f"/api/v1/jobs/{job['id']}"
    assert (desk.names(), desk.kept()) == ([], 2)
    work(desk.app)
    done = document(desk.client.get(queued.headers["Location"], headers=desk.headers))
    assert (done["status"], done["result"]) == ("succeeded", REPORT)
    assert (desk.names(), desk.kept()) == (["LAMP", "DESK"], 0)


def test_a_dry_run_reports_the_same_at_once_and_changes_nothing(desk: Desk) -> None:
    before = desk.state()
    for skip_refused in ("true", "false"):
        report = desk.preview(SHOP, skip_refused=skip_refused, **NAMED)
        assert report == {**REPORT, "written": False}
    assert desk.preview("name,price\nLamp,1\n")["written"] is False
    assert desk.state() == before


def test_one_refused_row_and_nothing_is_written(desk: Desk) -> None:
    assert desk.take(SHOP, **NAMED) == {**REPORT, "written": False}
    assert (desk.names(), desk.kept()) == ([], 0)


def test_products_that_are_there_are_changed_on_request(desk: Desk) -> None:
    desk.take("name,price\nLamp,1\nDesk,1\n")
    again = "name,price\nLamp,2\nDesk,1\nBed,1\n"
    assert [desk.preview(again)[what] for what in ("new", "refused")] == [1, 2]
    counts = {"new": 1, "changed": 1, "unchanged": 1, "refused": 0, "written": True}
    assert desk.preview(again, update="true").items() >= {**counts, "written": False}.items()
    assert desk.take(again, update="true").items() >= counts.items()
    assert desk.names() == ["Lamp", "Desk", "Bed"]


def test_who_sent_the_file_is_in_the_ledger(desk: Desk) -> None:
    me = document(desk.client.get("/api/v1/users/me", headers=desk.headers))
    desk.take("name,price,stock\nLamp,1,5\n")
    with desk.app.app_context():
        [line] = db.session.scalars(select(Movement))
    assert (line.kind, line.quantity, line.actor_id) == ("opening", 5, me["id"])


MALFORMED = {
    "": "The file is empty.",
    "\n \n": "The file is empty.",
    "name;price\n": "There is no column 'name'; the header has 'name;price'.",
    "name,price,name\n": "The header has more than one column 'name'.",
    f"{'x' * 9_000},price\n": f"There is no column 'name'; the header has '{'x' * 20}', 'price'.",
}


@pytest.mark.parametrize("dry_run", ["true", "false"])
@pytest.mark.parametrize(("content", "sentence"), MALFORMED.items(), ids=repr)
def test_what_the_header_tells_is_refused_at_once(
    desk: Desk, content: str, sentence: str, dry_run: str
) -> None:
    before = desk.state()
    answer = desk.send(content, dry_run=dry_run)
    assert problem(answer, 400, "malformed_file")["detail"] == sentence
    assert desk.state() == before


def test_a_column_named_expressly_must_be_there(desk: Desk) -> None:
    answer = desk.send("name,price\nLamp,1\n", stock_column="Stock")
    assert "'Stock'" in problem(answer, 400, "malformed_file")["detail"]


def test_a_line_that_cannot_be_read_ends_the_job_and_the_file(desk: Desk) -> None:
    content = b"name,price\nLamp,1\n\xff,1\n"
    refused = problem(desk.send(content, dry_run="true"), 400, "malformed_file")
    job = desk.job(content, skip_refused="true")
    assert (job["status"], job["attempts"], job["result"]) == ("failed", 1, None)
    assert job["error"] == refused["detail"] == "Line 3 is not valid UTF-8."
    assert (desk.names(), desk.kept()) == ([], 0)


def test_a_job_whose_file_is_gone_says_so(desk: Desk) -> None:
    queued = desk.send("name,price\nLamp,1\n")
    with desk.app.app_context():
        uploads.discard(db.session.scalars(select(Upload.id)).one())
        db.session.commit()
    work(desk.app)
    job = document(desk.client.get(queued.headers["Location"], headers=desk.headers))
    assert (job["status"], job["attempts"]) == ("failed", 1)
    assert job["error"] == "The file is not kept any longer: send it again."


def test_a_report_tells_a_thousand_reasons_and_how_many_more_there_are(desk: Desk) -> None:
    content = "name,price\n" + ",0\n" * 1_200
    for report in (desk.preview(content), desk.take(content)):
        told = [refusal["line"] for refusal in report["refusals"]]
        assert told == [line for line in range(2, 502) for _ in range(2)]
        assert (report["refused"], report["refusals_omitted"]) == (1_200, 1_400)


def test_a_report_is_short_however_wide_the_header(desk: Desk) -> None:
    wide = ",".join("x" * 500 for _ in range(1_500))
    report = desk.preview(f"name,price,{wide}\n")
    assert report["ignored_columns"] == ["x" * 100] * 100


def test_a_job_tells_how_far_it_is() -> None:
    told: list[int] = []
    meter = bulk.Meter(1_000, told.append)
    for _ in range(1_000):
        meter(1)
    assert told == [*range(1, 91)]
    bulk.Meter(5, told.append)(5)
    assert told[-1] == 90


@pytest.mark.usefixtures("context")
def test_progress_is_told_while_the_file_is_read() -> None:
    told: list[int] = []
    rows = "".join(f"Product {n},1\n" for n in range(300))
    how = {"update": False, "skip_refused": False}
    with transaction():
        upload = uploads.keep(BytesIO(f"name,price\n{rows}".encode()))
        report = bulk.carry_out(upload.id, validate_row, {}, told.append, **how)
    assert (report["new"], told) == (300, [*range(1, 91)])


def test_a_file_sent_again_under_its_key_is_taken_once(desk: Desk) -> None:
    desk.headers["Idempotency-Key"] = "a-file"
    content = "name,price\nLamp,1\n"
    first = desk.send(content)
    calls = (file(content, boundary="another"), file(content))
    for call in calls:
        replayed(desk.client.post(URL, headers=desk.headers, **call), first)
    problem(desk.send(content + "Desk,1\n"), 422, "idempotency_key_reused")
    problem(desk.send(content, update="true"), 422, "idempotency_key_reused")
    assert work(desk.app) == 1
    assert desk.names() == ["Lamp"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"dry_run": "yes"}, "dry_run"),
        ({"column": "x"}, "column"),
        ({"name_column": " "}, "name_column"),
        ({"price_column": "x" * 256}, "price_column"),
    ],
)
def test_a_wrong_question_is_refused(desk: Desk, query: dict[str, str], field: str) -> None:
    [error] = problem(desk.send(SHOP, **query), 422, "invalid_fields")["errors"]
    assert (error["in"], error["field"]) == ("query", field)


# What is exported is imported again, unchanged.

ODD = ["=", "+", "-", "@", "'", '"', ",", ";", "\r", "\n", "\r\n", "\t", " ", "\\", "\\N", "/", "%"]
ODD += [
    "\u00a0",
    "\u2028",
    "\u0085",
    "\ufeff",
    "\u200b",
    "\u0301",
    "é",
    "ß",
    "😀",
    "中",
    "\x01",
    "\x7f",
]
ODD += ["NULL", "null", "true", "0", "a", "Z", "--", "''", '""', "\x1a", "\u202e"]


def odd(random_: random.Random, most: int) -> str:
    """A text of odd pieces, which the API takes."""
    text = "".join(random_.choice(ODD) for _ in range(random_.randint(1, most)))
    return text[:250]


def catalogue(seed: int, rows: int) -> list[dict[str, Any]]:
    random_ = random.Random(seed)
    return [
        {
            "name": f"{odd(random_, 12)}{n}{odd(random_, 12)}",
            "description": random_.choice([None, odd(random_, 200)]),
            "price": str(Decimal(random_.randint(1, 9_999_999_999)) / 100),
            "stock": random_.choice([0, 1, 2**31 - 1, random_.randint(0, 10_000)]),
            "is_active": random_.random() < 0.5,
        }
        for n in range(rows)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_what_is_exported_is_imported_again_unchanged(desk: Desk, seed: int) -> None:
    with desk.app.app_context():
        connection: Any = db.engines[None]
    with connection.begin_nested() as first_shop:
        for values in catalogue(seed, 60):
            made = desk.client.post("/api/v1/products/", json=values, headers=desk.headers)
            assert made.status_code == 201, made.text
        exported = export(desk)
        report = desk.take(exported, update="true")
        assert (report["unchanged"], report["refused"]) == (60, 0)
        first_shop.rollback()
    assert desk.names() == []
    report = desk.take(exported)
    assert (report["new"], report["written"]) == (60, True)
    assert fields(export(desk)) == fields(exported)


def test_an_export_of_nothing_is_imported_again(desk: Desk) -> None:
    assert desk.take(export(desk))["rows"] == 0


def test_a_description_and_none_come_back_as_they_were(desk: Desk) -> None:
    with desk.app.app_context():
        make_product(name="Lamp", description="Brass")
        make_product(name="Desk")
        db.session.commit()
    assert desk.take(export(desk), update="true")["unchanged"] == 2


def export(desk: Desk) -> bytes:
    exported: bytes = desk.client.get(EXPORT, headers=desk.headers, buffered=True).data
    return exported


def fields(exported: bytes) -> list[tuple[str, ...]]:
    """What each row says of its product, but for its number and when it was made."""
    rows = csv.DictReader(StringIO(exported.decode(), newline=""), strict=True)
    return [tuple(row[field] for field in bulk.FIELDS) for row in rows]


def test_the_check_itself_can_fail(desk: Desk) -> None:
    with desk.app.app_context():
        make_product(name="=Lamp")
        db.session.commit()
    exported = export(desk)
    assert fields(exported) != fields(exported.replace(b"=Lamp", b"'=Lamp"))
    assert json.loads(json.dumps(desk.preview(exported, update="true")))["unchanged"] == 1
