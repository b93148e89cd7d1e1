"""What the service is called is said in one place."""

from __future__ import annotations

import json

from flask.testing import FlaskClient

from config import NAME, ROOT, TITLE
from project.mail.message import render

PLACES = [*(ROOT / "project").rglob("*"), *ROOT.glob("*.py")]
FIRST = "moorkcots"[::-1]  # what it was called first: a copy with another title says it nowhere


def test_no_other_place_of_the_code_says_it() -> None:
    code = [path for path in PLACES if path.suffix in (".py", ".html", ".js", ".txt")]
    telling = {path.name for path in code if FIRST in path.read_text().lower()}
    assert telling <= {"config.py"}


def test_whoever_reads_the_service_reads_its_title(client: FlaskClient) -> None:
    document = client.get("/api/v1/openapi.json").json or {}
    assert document["info"]["title"] == TITLE
    assert f"<title>{TITLE} API</title>" in client.get("/docs").text
    subject, _, html = render("welcome", {"username": "ada"})
    assert subject == f"Welcome to {TITLE}"
    assert f'<p class="sender">{TITLE}</p>' in html


def test_programs_read_its_name(client: FlaskClient) -> None:
    document = client.get("/api/v1/openapi.json").json or {}
    challenge = client.get("/api/v1/users/me").headers["WWW-Authenticate"]
    assert challenge == f'Bearer realm="{NAME}"'
    assert challenge in json.dumps(document).replace("\\", "")
