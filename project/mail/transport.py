"""How a mail leaves: by SMTP, encrypted where it can be, or as a file for its owner only."""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTPUTF8
from functools import cache
from pathlib import Path
from typing import NoReturn
from urllib.parse import SplitResult, unquote, urlsplit

import structlog
from ulid import ULID

from project.errors import Refusal
from project.jobs import TryAgain

log = structlog.get_logger("project")
PATIENCE = 10  # seconds for each step of the conversation with the mail server


class Undelivered(Refusal):
    """The server will not take this mail, however often it is sent.

    The sentence tells no address, for it is logged, and kept with the job.
    """

    code = "undelivered"


class Delayed(Undelivered, TryAgain):
    """The mail did not leave; it may later."""


class Unanswered(Delayed):
    """The server fell silent with the mail in its hands: nobody knows whether it took it."""


@dataclass(frozen=True)
class Mailer:
    """Delivers as the settings say; `url` None writes files into `folder`."""

    url: str | None
    sender: str
    folder: Path

    def deliver(self, message: EmailMessage, to: str) -> None:
        """Hand the mail over; raises Undelivered."""
        if self.url is None:
            self._write(message)
        else:
            self._send(urlsplit(self.url), message, to)

    def _send(self, url: SplitResult, message: EmailMessage, to: str) -> None:
        spoken = False
        try:
            with _connected(url) as smtp:
                spoken = True
                smtp.send_message(message, to_addrs=[to])
        except Exception as error:  # whatever it is may quote the address
            _fail(message, error, spoken=spoken)
        log.info("mail.sent", subject=message["Subject"])

    def _write(self, message: EmailMessage) -> None:
        path = self.folder / f"{ULID()}.eml"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(message.as_bytes(policy=SMTPUTF8))
        except Exception as error:
            _fail(message, error, spoken=False)
        log.info("mail.written", subject=message["Subject"], file=str(path))


def _fail(message: EmailMessage, error: Exception, *, spoken: bool) -> NoReturn:
    """Log what went wrong and raise it, by its name and the number of the server's answer only."""
    name, number = type(error).__name__, _answer(error)
    told = {"error": name} | ({} if number is None else {"code": number})
    log.error("mail.failed", subject=message["Subject"], **told)
    if number is not None and number >= 500 and _is_about_the_mail(error):
        raise Undelivered(f"The mail server refuses this mail ({number}).") from None
    silent = spoken and number is None and isinstance(error, OSError)
    kind = Unanswered if silent else Delayed
    raise kind(f"The mail did not leave ({name if number is None else number}).") from None


def _answer(error: Exception) -> int | None:
    """The number in the server's answer, if it gave one."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        [(number, _)] = error.recipients.values()
        return int(number)
    return error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else None


def _is_about_the_mail(error: Exception) -> bool:
    """Whether the recipient or the content is refused, and not us, which somebody may put right."""
    return isinstance(error, smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError)


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
    try:
        _introduce(smtp, url)
        yield smtp
        with suppress(OSError):  # what was taken is taken, whatever becomes of the farewell
            smtp.quit()
    finally:
        smtp.close()


def _introduce(smtp: smtplib.SMTP, url: SplitResult) -> None:
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


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates this machine trusts; reading them takes time."""
    return ssl.create_default_context()
