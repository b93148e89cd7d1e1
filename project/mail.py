"""Mail: by SMTP where MAIL_URL says so, else as files in DATA_DIR/mail."""

from __future__ import annotations

import os
import smtplib
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, make_msgid, parseaddr
from functools import cache, partial
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

import structlog
from flask import Flask, current_app
from ulid import ULID

from project.db import after_commit

log = structlog.get_logger("project")
PATIENCE = 10  # seconds for each step of the conversation with the mail server
PAUSE = 0.05  # seconds that let the answer go first: composing would slow it, and so tell of a mail
MOST = 1000  # mails that may wait
FAREWELL = 5  # seconds for what waits when the process ends


@dataclass(frozen=True)
class Mailer:
    """Delivers in a thread of its own, so that no answer waits for a mail server, nor tells by
    its time whether there was a mail.
    """

    url: str | None
    sender: str
    folder: Path
    thread: ThreadPoolExecutor = field(default_factory=partial(ThreadPoolExecutor, 1, "mail"))
    waiting: set[Future[None]] = field(default_factory=set)

    def post(self, to: str, subject: str, text: str) -> None:
        """Deliver it soon; what would wait behind too many others is dropped."""
        if len(self.waiting) >= MOST:
            log.error("mail.failed", subject=subject, error="TooManyWaiting")
            return
        context = copy_context()  # with the request id, for the log
        future = self.thread.submit(context.run, self.deliver, to, subject, text)
        self.waiting.add(future)
        future.add_done_callback(self.waiting.discard)

    def close(self) -> None:
        """Finish soon: what waits longer is dropped, as the mail server may be away for good."""
        wait(list(self.waiting), FAREWELL)
        dropped = [future for future in list(self.waiting) if future.cancel()]
        if dropped:
            log.error("mail.dropped", count=len(dropped))

    def deliver(self, to: str, subject: str, text: str) -> None:
        """Send it or write it down; a failure is logged, without the address."""
        try:
            time.sleep(PAUSE)
            message = self._message(to, subject, text)
            if self.url is None:
                self._write(message)
            else:
                with _connected(urlsplit(self.url)) as smtp:
                    smtp.send_message(message, to_addrs=[to])
                log.info("mail.sent", subject=subject)
        except Exception as error:  # nobody else would hear of it: this is a thread's last line
            log.error("mail.failed", subject=subject, error=type(error).__name__)

    def _message(self, to: str, subject: str, text: str) -> EmailMessage:
        message = EmailMessage(SMTP)
        message["From"] = self.sender
        message["To"] = to
        message["Subject"] = subject
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = make_msgid(domain=parseaddr(self.sender)[1].rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: let no holiday notice answer it
        message.set_content(text)
        return message

    def _write(self, message: EmailMessage) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / f"{ULID()}.eml"
        with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
            file.write(message.as_bytes(policy=SMTPUTF8))
        log.info("mail.written", subject=message["Subject"], file=str(path))


def init_app(app: Flask) -> None:
    """Mail as the settings say."""
    config = app.config
    folder = config["DATA_DIR"] / "mail"
    app.extensions["mailer"] = Mailer(config["MAIL_URL"], config["MAIL_FROM"], folder)


def send(to: str, subject: str, text: str) -> None:
    """Send a mail once the transaction has committed, and only then."""
    mailer: Mailer = current_app.extensions["mailer"]
    after_commit(partial(mailer.post, to, subject, text))


@contextmanager
def _connected(url: SplitResult) -> Iterator[smtplib.SMTP]:
    """A conversation with the server, encrypted where it can be; no password goes in clear."""
    host = url.hostname or ""
    if url.scheme == "smtps":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(
            host, url.port or 465, timeout=PATIENCE, context=_trusted()
        )
    else:
        smtp = smtplib.SMTP(host, url.port or 587, timeout=PATIENCE)
    with smtp:
        smtp.ehlo()
        encrypted = url.scheme == "smtps"
        if not encrypted and smtp.has_extn("starttls"):
            smtp.starttls(context=_trusted())
            smtp.ehlo()
            encrypted = True
        if url.username and not encrypted:
            raise smtplib.SMTPNotSupportedError("no STARTTLS, so the password stays here")
        if url.username:
            smtp.login(unquote(url.username), unquote(url.password or ""))
        yield smtp


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates this machine trusts; reading them takes time."""
    return ssl.create_default_context()
