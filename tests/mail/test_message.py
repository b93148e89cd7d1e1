"""How mails are written: for machines, for people who read plain text, for those who see HTML."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from jinja2 import UndefinedError

from config import TITLE
from project.mail.message import TEMPLATES, compose, render
from tests.letters import read
from tests.mail.office import SENDER, TO

EVIL = "<b>'&\""
WORDS: dict[str, dict[str, Any]] = {
    "password_changed": {"username": "ada", "at": "3 May 2026, 08:09 UTC"},
    "reset": {"username": "ada", "token": "t0k3n", "page": "https://shop.example/?token=t0k3n"},
    "welcome": {"username": "ada"},
    "webhook_disabled": {"webhook_id": "3", "description": "Orders lamps", "why": "is gone"},
}
NAMES = sorted({name.partition(".")[0] for name in TEMPLATES.list_templates()} - {"layout"})


def test_every_template_is_tried_here() -> None:
    assert sorted(WORDS) == NAMES


def test_a_mail_has_the_headers_it_needs_once() -> None:
    message = compose("welcome", WORDS["welcome"], sender=SENDER, to=TO, key="welcome.1.abc")
    assert (message["From"], message["To"]) == (SENDER, TO)
    assert message["Subject"] == f"Welcome to {TITLE}"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == "<welcome.1.abc@example.com>"
    age = datetime.now(UTC) - parsedate_to_datetime(message["Date"])
    assert timedelta(seconds=-1) < age < timedelta(seconds=10)
    names = [name.lower() for name in message]
    assert len(names) == len({*names})


def test_who_cannot_show_html_is_given_plain_text() -> None:
    """The last alternative is the best one: RFC 2046 section 5.1.4."""
    message = compose("welcome", WORDS["welcome"], sender=SENDER, to=TO, key="k")
    assert message.get_content_type() == "multipart/alternative"
    kinds = [part.get_content_type() for part in message.iter_parts()]
    assert kinds == ["text/plain", "text/html"]
    assert {part.get_content_charset() for part in message.iter_parts()} == {"utf-8"}
    assert "ada" in read(message)
    assert "<strong>ada</strong>" in read(message, "html")


@pytest.mark.parametrize("name", NAMES)
def test_plain_text_and_html_say_the_same(name: str) -> None:
    _, text, html = render(name, WORDS[name])
    shown = re.sub(r"<head>.*</head>", "", html, flags=re.DOTALL)
    for value in WORDS[name].values():
        if value != "t0k3n":  # it stands in the page's address
            assert value in text
            assert value in shown


@pytest.mark.parametrize("name", NAMES)
def test_plain_text_fits_a_terminal(name: str) -> None:
    subject, text, _ = render(name, WORDS[name])
    lines = text.splitlines()
    assert 0 < len(subject) <= 60
    assert lines[0]
    assert max(map(len, lines)) <= 72
    assert "\n\n\n" not in text
    assert "<" not in text


@pytest.mark.parametrize("name", NAMES)
def test_html_loads_nothing_and_links_to_our_page_only(name: str) -> None:
    _, _, html = render(name, WORDS[name])
    assert not re.search(r"<(img|script|link|iframe|object|form|svg)|url\(|@import|\son\w+=", html)
    assert {*re.findall("https?://[^\"'<>]*", html)} <= {"https://shop.example/?token=t0k3n"}
    assert "prefers-color-scheme: dark" in html


@pytest.mark.parametrize("name", NAMES)
def test_a_word_is_not_taken_for_html(name: str) -> None:
    _, text, html = render(name, dict.fromkeys(WORDS[name], EVIL))
    assert EVIL in text
    assert "<b>" not in html
    assert "&lt;b&gt;&#39;&amp;&#34;" in html


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", ["txt", "html"])
def test_a_word_that_is_missing_is_not_left_out(name: str, place: str) -> None:
    """Both files name every word of theirs, or the mail is not written."""
    with pytest.raises(UndefinedError):
        TEMPLATES.get_template(f"{name}.{place}").render({"subject": "x"})


def test_a_token_is_shown_where_there_is_no_page_for_it() -> None:
    _, text, html = render("reset", {**WORDS["reset"], "page": ""})
    for said in (text, html):
        assert '{"token": "t0k3n", "password": "..."}' in said
        assert "POST /api/v1/auth/password/reset" in said
        assert "href" not in said


@pytest.mark.parametrize(
    ("to", "title"), [("ada@example.org\r\nBcc: eve@example.org", "x"), (TO, "x\rBcc: e@f.org")]
)
def test_no_header_is_smuggled_in(to: str, title: str) -> None:
    with pytest.raises(ValueError, match="linefeed"):
        compose("note", {"title": title, "text": ""}, sender=SENDER, to=to, key="k")


def test_a_line_in_a_subject_stays_a_line_of_the_text() -> None:
    words = {"title": "x\nBcc: eve@example.org", "text": ""}
    message = compose("note", words, sender=SENDER, to=TO, key="k")
    assert (message["Subject"], message["Bcc"]) == ("x", None)
