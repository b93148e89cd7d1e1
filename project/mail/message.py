"""A mail as it is written: a template in plain text and in HTML, under the headers it needs."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from config import TITLE

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
TEMPLATES.globals["service"] = TITLE


def compose(
    template: str, context: dict[str, Any], *, sender: str, to: str, key: str
) -> EmailMessage:
    """The mail of this template.

    key: what makes it this mail and no other; sent twice, it has one Message-ID.
    """
    subject, text, html = render(template, context)
    message = EmailMessage(SMTP)
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{key}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: let no holiday notice answer it
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return message


def render(template: str, context: dict[str, Any]) -> tuple[str, str, str]:
    """Subject, plain text and HTML; the first line of the plain text is the subject."""
    words = TEMPLATES.get_template(f"{template}.txt").render(context)
    subject, _, text = words.partition("\n")
    html = TEMPLATES.get_template(f"{template}.html").render(context, subject=subject)
    return subject, text.lstrip("\n"), html
