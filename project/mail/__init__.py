"""Mail: templates in plain text and HTML, sent by jobs; without MAIL_URL into DATA_DIR/mail."""

from __future__ import annotations

from typing import Any

from flask import Flask, current_app

from project.jobs import Job, enqueue, key
from project.mail.message import compose
from project.mail.transport import Mailer, Unanswered, Undelivered

__all__ = ["WAITS", "Unanswered", "Undelivered", "deliver", "init_app", "send"]

# Seconds before each further attempt: servers that turn strangers away at first (greylisting)
# let them in after some minutes.
WAITS = (10, 60, 300, 1200, 3600)


def init_app(app: Flask) -> None:
    """Mail as the settings say."""
    config = app.config
    folder = config["DATA_DIR"] / "mail"
    app.extensions["mailer"] = Mailer(config["MAIL_URL"], config["MAIL_FROM"], folder)


def send(template: str, *, to: str, **context: Any) -> Job:
    """Have a mail sent, once the transaction commits and if it does.

    context: what the template wants, as JSON; no secret, since it is kept with the job.
    """
    return enqueue("mail.send", template=template, to=to, context=context)


def deliver(template: str, *, to: str, **context: Any) -> None:
    """Send a mail now, from within a job and outside of any transaction; raises Undelivered.

    Sent again by the same job it has the same Message-ID, so that it can be told for the same.
    """
    mailer: Mailer = current_app.extensions["mailer"]
    name = f"{template}.{key()}"
    mailer.deliver(compose(template, context, sender=mailer.sender, to=to, key=name), to)
