"""Mail as somebody reads it."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from project.http.app import App
from project.mail.transport import Mailer
from tests.work import work


def mailed(app: App) -> list[EmailMessage]:
    """What was mailed since one asked last, once all that is queued is done."""
    work(app)
    mailer: Mailer = app.extensions["mailer"]
    return opened(mailer.folder)


def opened(folder: Path) -> list[EmailMessage]:
    """The mail in this folder, taken out of it."""
    found = []
    for path in sorted(folder.glob("*.eml")):
        found.append(message_from_bytes(path.read_bytes(), policy=default))
        path.unlink()
    return found


def read(message: EmailMessage, kind: str = "plain") -> str:
    """What a person reads, in plain text or HTML."""
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def token_in(message: EmailMessage) -> str:
    """The token that somebody reads in a mail."""
    [token] = re.findall(r"(?<![\w-])[\w-]{43}(?![\w-])", read(message))
    return str(token)
