"""An SMTP server on loopback, and a template that says whatever a test likes."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import aiosmtpd
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from jinja2 import DictLoader

from project.mail.message import compose
from project.mail.transport import Mailer
from tests.server import free_port

TO, SENDER, SUBJECT = "ada@example.org", "The Shop <shop@example.com>", "A new password"
TEXT = "Dear Ada,\n\n.\n.and a dot\n…\n"
NAME, WORD = "shop@example.com", "pa:ss@/w"
CERTIFICATES = Path(aiosmtpd.__file__).parent / "tests" / "certs"
CERTIFICATE = CERTIFICATES / "server.crt"  # signed by itself
NOTES = DictLoader({"note.txt": "{{ title }}\n\n{{ text }}", "note.html": "<p>{{ text }}"})

Courier = Callable[..., tuple["Office", Mailer]]

logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd's: it tells of itself only


class Office:
    """Keeps what it takes; `refuses` answers to recipients, `complains` to what is sent."""

    def __init__(self, implicit: bool = False, **settings: Any) -> None:
        self.refuses, self.complains = "", ""
        self.when_taken: Callable[[], object] = int
        self.envelopes: list[Any] = []
        self.secure: list[bool] = []
        self.signed_in: list[LoginPassword] = []
        self.implicit = implicit
        self.settings = settings
        self.port = free_port()

    def start(self) -> None:
        """Begin to listen."""
        if self.implicit:
            self.settings["ssl_context"] = context()
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port, **self.settings)
        self.controller.start()

    async def handle_RCPT(  # noqa: N802 — because aiosmtpd calls it so
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.refuses:
            return self.refuses
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 — because aiosmtpd calls it so
        self, server: Any, session: Any, envelope: Any
    ) -> str:
        if self.complains:
            return self.complains
        self.envelopes.append(envelope)
        self.secure.append(self.implicit or session.ssl is not None)
        self.when_taken()
        return "250 OK"

    def authenticate(self, *given: Any) -> AuthResult:
        """Let in whoever has the one password."""
        login: LoginPassword = given[4]
        self.signed_in.append(login)
        right = login == LoginPassword(NAME.encode(), WORD.encode())
        return AuthResult(success=right, handled=right)

    @property
    def messages(self) -> list[EmailMessage]:
        return [message_from_bytes(each.content, policy=default) for each in self.envelopes]


def context() -> ssl.SSLContext:
    """What a server needs to speak TLS."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(CERTIFICATE, CERTIFICATES / "server.key")
    return made


def deliver(mailer: Mailer, to: str = TO, subject: str = SUBJECT, text: str = TEXT) -> None:
    """Mail this now."""
    words = {"title": subject, "text": text}
    mailer.deliver(compose("note", words, sender=mailer.sender, to=to, key="k"), to)
