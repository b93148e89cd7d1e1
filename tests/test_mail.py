"""Mail: what a real SMTP server gets to read, and what the log tells when it gets nothing."""

from __future__ import annotations

import json
import logging
import smtplib
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import quote

import aiosmtpd
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from structlog.contextvars import bound_contextvars, clear_contextvars

from project import mail
from project.db import db, transaction
from project.errors import Refused
from project.http.app import App
from tests.server import free_port

TO, SENDER, SUBJECT = "ada@example.org", "Stockroom <shop@example.com>", "A new password"
TEXT = "Dear Ada,\n\n.\n.and a dot\n…\n"
NAME, WORD = "shop@example.com", "pa:ss@/w"
CERTIFICATES = Path(aiosmtpd.__file__).parent / "tests" / "certs"
CERTIFICATE = CERTIFICATES / "server.crt"  # signed by itself

Post = Callable[..., "Office"]

logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd's: it tells of itself only


class Office:
    """An SMTP server on loopback that keeps what it takes; `refuses` answers to recipients."""

    def __init__(self, refuses: str = "", implicit: bool = False, **settings: Any) -> None:
        self.refuses = refuses
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
        self.envelopes.append(envelope)
        self.secure.append(self.implicit or session.ssl is not None)
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


@pytest.fixture(autouse=True)
def _outside_of_any_request(monkeypatch: pytest.MonkeyPatch) -> None:
    clear_contextvars()
    monkeypatch.setattr(mail, "PAUSE", 0)


@pytest.fixture
def post(app: App, context: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    """Opens an office, and mails by it: with this scheme, these credentials, this sender."""
    offices: list[Office] = []
    monkeypatch.setattr(mail, "PATIENCE", 3)

    def open_(scheme: str = "smtp", user: str = "", sender: str = SENDER, **given: Any) -> Office:
        office = Office(**given)
        office.start()
        offices.append(office)
        url = f"{scheme}://{user}127.0.0.1:{office.port}"
        monkeypatch.setitem(app.extensions, "mailer", mail.Mailer(url, sender, Path("/nowhere")))
        return office

    yield open_
    for office in offices:
        office.controller.stop()


def deliver(app: App, to: str = TO, subject: str = SUBJECT, text: str = TEXT) -> None:
    """Mail this, and wait until it has been dealt with."""
    with transaction():
        mail.send(to, subject, text)
    app.extensions["mailer"].thread.submit(int).result(20)


def events(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The log since one looked last; no line of it may tell who gets which mail."""
    logged = capsys.readouterr().err
    for secret in ("ada", "@", "Dear", WORD):
        assert secret not in logged
    lines = map(json.loads, logged.splitlines())
    return [{key: value for key, value in line.items() if key != "time"} for line in lines]


def sent() -> dict[str, str]:
    return {"subject": SUBJECT, "event": "mail.sent", "level": "info"}


def failed(error: str) -> dict[str, str]:
    return {"subject": SUBJECT, "error": error, "event": "mail.failed", "level": "error"}


def test_a_mail_arrives_as_it_was_written(
    app: App, post: Post, capsys: pytest.CaptureFixture[str]
) -> None:
    office = post()
    deliver(app)
    [envelope], [message] = office.envelopes, office.messages
    assert (envelope.mail_from, envelope.rcpt_tos) == ("shop@example.com", [TO])
    assert (message["From"], message["To"], message["Subject"]) == (SENDER, TO, SUBJECT)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@example.com>")
    age = datetime.now(UTC) - parsedate_to_datetime(message["Date"])
    assert timedelta(seconds=-1) < age < timedelta(seconds=10)
    assert message.get_content_type() == "text/plain"
    assert message.get_content_charset() == "utf-8"
    assert message.get_content().splitlines() == TEXT.splitlines()
    assert message.defects == []
    names = [name.lower() for name in message]
    assert len(names) == len({*names})
    assert events(capsys) == [sent()]


def test_every_mail_has_an_id_of_its_own(app: App, post: Post) -> None:
    office = post()
    for _ in range(3):
        deliver(app)
    assert len({message["Message-ID"] for message in office.messages}) == 3


def test_mails_keep_their_order(app: App, post: Post) -> None:
    office = post()
    with transaction():
        for number in range(5):
            mail.send(TO, f"Number {number}", TEXT)
        assert office.envelopes == []  # nothing before the commit
    deliver(app)
    subjects = [message["Subject"] for message in office.messages]
    assert subjects == [*(f"Number {number}" for number in range(5)), SUBJECT]


@pytest.mark.parametrize("wrong", [Refused("no"), RuntimeError("no"), KeyboardInterrupt()])
def test_what_is_rolled_back_is_not_mailed(app: App, post: Post, wrong: BaseException) -> None:
    office = post()

    def refuse() -> None:
        with transaction():
            mail.send(TO, "Rolled back", TEXT)
            raise wrong

    with pytest.raises(type(wrong)):
        refuse()
    deliver(app)
    assert [message["Subject"] for message in office.messages] == [SUBJECT]


def test_what_fails_to_commit_is_not_mailed(
    app: App, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = post()

    def fail() -> None:
        raise RuntimeError("no")

    with monkeypatch.context() as patch:
        patch.setattr(db.session(), "commit", fail)
        with pytest.raises(RuntimeError), transaction():
            mail.send(TO, "Not committed", TEXT)
    deliver(app)
    assert [message["Subject"] for message in office.messages] == [SUBJECT]


@pytest.mark.parametrize(
    ("to", "utf8"),
    [
        ("ada@example.org", False),
        ("r\u00e9n\u00e9@example.org", True),
        ("\u7528\u6237@\u4f8b\u5b50.example.org", True),
        ("ada@b\u00fccher.example.org", True),
    ],
    ids=ascii,
)
def test_an_address_may_have_any_letters(app: App, post: Post, to: str, utf8: bool) -> None:
    office = post(enable_SMTPUTF8=True)
    deliver(app, to)
    [envelope], [message] = office.envelopes, office.messages
    assert (envelope.rcpt_tos, message["To"]) == ([to], to)
    assert envelope.smtp_utf8 is utf8


def test_an_address_the_server_cannot_read_is_logged(
    app: App, post: Post, capsys: pytest.CaptureFixture[str]
) -> None:
    office = post(enable_SMTPUTF8=False)
    deliver(app, "r\u00e9n\u00e9@example.org")
    assert office.envelopes == []
    assert events(capsys) == [failed("SMTPNotSupportedError")]


def test_headers_are_ascii_unless_the_server_reads_more(app: App, post: Post) -> None:
    """RFC 6532 needs SMTPUTF8; else a name or a subject is encoded as in RFC 2047."""
    for enabled in (True, False):
        sender = "L\u00e4dchen <shop@example.com>"
        office = post(sender=sender, enable_SMTPUTF8=enabled)
        deliver(app, subject="Gr\u00fc\u00dfe \U0001f600")
        [envelope], [message] = office.envelopes, office.messages
        head, _, _ = envelope.content.partition(b"\r\n\r\n")
        assert head.isascii() or envelope.smtp_utf8
        assert (message["From"], message["Subject"]) == (sender, "Gr\u00fc\u00dfe \U0001f600")


@pytest.mark.parametrize(
    ("to", "subject"),
    [("ada@example.org\r\nBcc: eve@example.org", SUBJECT), (TO, "x\r\nBcc: eve@example.org")],
)
def test_no_header_is_smuggled_in(
    app: App, post: Post, to: str, subject: str, capsys: pytest.CaptureFixture[str]
) -> None:
    office = post()
    try:
        deliver(app, to, subject)
    except ValueError:
        pass  # who calls may learn it, too
    else:
        assert '"mail.failed"' in capsys.readouterr().err
    assert office.envelopes == []


@pytest.mark.parametrize("text", [".", "..\n.\n", "x" * 5000, " ", "\u20ac" * 2000, "a\r\nb\rc\nd"])
def test_a_text_may_look_like_anything(app: App, post: Post, text: str) -> None:
    office = post()
    deliver(app, text=text)
    [envelope], [message] = office.envelopes, office.messages
    assert message.get_content().splitlines() == text.splitlines()
    assert max(map(len, envelope.content.split(b"\r\n"))) <= 998  # RFC 5322 section 2.1.1
    assert b"\n" not in envelope.content.replace(b"\r\n", b"")


def test_a_recipient_the_server_refuses_is_logged_without_the_address(
    app: App, post: Post, capsys: pytest.CaptureFixture[str]
) -> None:
    office = post(refuses=f"550 No such user {TO}")
    deliver(app)
    assert office.envelopes == []
    assert events(capsys) == [failed("SMTPRecipientsRefused")]
    office.refuses = ""
    deliver(app)
    assert len(office.envelopes) == 1


def signing_office(post: Post, word: str, **settings: Any) -> Office:
    """An office that demands a name and a password, and is given this one."""
    user = f"{quote(NAME, safe='')}:{quote(word, safe='')}@"
    made: list[Office] = []

    def authenticate(*given: Any) -> AuthResult:
        return made[0].authenticate(*given)

    made.append(post(user=user, authenticator=authenticate, **settings))
    return made[0]


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets us trust the certificate from here on; its name is not looked at, as it has none."""
    made = ssl.create_default_context(cafile=CERTIFICATE)
    made.check_hostname = False
    return partial(monkeypatch.setattr, mail, "_trusted", lambda: made)


def test_credentials_are_used(
    app: App, post: Post, trusting: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    office = signing_office(post, WORD, tls_context=context())
    trusting()
    deliver(app)
    assert office.signed_in == [LoginPassword(NAME.encode(), WORD.encode())]
    assert office.secure == [True]
    assert events(capsys) == [sent()]


def test_wrong_credentials_are_logged_without_them(
    app: App, post: Post, trusting: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    office = signing_office(post, "wrong", tls_context=context())
    trusting()
    deliver(app)
    assert len(office.signed_in) > 0
    assert office.envelopes == []
    assert events(capsys) == [failed("SMTPAuthenticationError")]


def test_no_password_is_sent_in_clear(
    app: App, post: Post, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server that takes passwords but offers no STARTTLS may be somebody in between."""
    office = signing_office(post, WORD, auth_require_tls=False)
    deliver(app)
    assert (office.signed_in, office.envelopes) == ([], [])
    assert events(capsys) == [failed("SMTPNotSupportedError")]


@pytest.mark.parametrize("word", ["p\u00e4ss", "\U0001f600", "\x00"])
def test_a_password_of_any_letters_ends_in_a_mail_or_in_the_log(
    app: App,
    post: Post,
    word: str,
    trusting: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever goes wrong in the other thread: nothing may be lost without a word."""
    office = signing_office(post, word, tls_context=context())
    trusting()
    deliver(app)
    assert office.envelopes == []
    [event] = events(capsys)
    assert (event["event"], event["level"]) == ("mail.failed", "error")


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_certificate_nobody_vouches_for_is_refused(
    app: App, post: Post, scheme: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing of the mail or the password is sent without it."""
    settings: dict[str, Any] = (
        {"implicit": True} if scheme == "smtps" else {"tls_context": context()}
    )
    user = f"{quote(NAME, safe='')}:{quote(WORD, safe='')}@"
    office = post(scheme, user, **settings)
    deliver(app)
    assert (office.envelopes, office.signed_in) == ([], [])
    assert events(capsys) == [failed("SSLCertVerificationError")]


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_what_can_be_encrypted_is(
    app: App,
    post: Post,
    scheme: str,
    trusting: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings: dict[str, Any] = (
        {"implicit": True}
        if scheme == "smtps"
        else {"tls_context": context(), "require_starttls": True}
    )
    office = post(scheme, **settings)
    trusting()
    deliver(app)
    assert office.secure == [True]
    assert events(capsys) == [sent()]


def test_a_name_that_is_not_the_certificate_s_is_refused(
    app: App, post: Post, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    office = post(tls_context=context())
    made = ssl.create_default_context(cafile=CERTIFICATE)
    monkeypatch.setattr(mail, "_trusted", lambda: made)
    deliver(app)
    assert office.envelopes == []
    assert events(capsys) == [failed("SSLCertVerificationError")]


def test_what_nobody_foresaw_is_logged_too(
    app: App, written: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else it would be lost in the thread without a word, and with it the mail."""

    def broken(*_: Any) -> None:
        raise KeyError(TO)

    with monkeypatch.context() as patch:
        patch.setattr(mail.Mailer, "_message", broken)
        deliver(app)
    deliver(app)  # and the thread goes on
    first, second = events(capsys)
    assert (first, second["event"]) == (failed("KeyError"), "mail.written")


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_server_that_is_away_is_logged(
    app: App,
    context: None,
    scheme: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    mailer = mail.Mailer(f"{scheme}://127.0.0.1:{free_port()}", SENDER, Path("/nowhere"))
    monkeypatch.setitem(app.extensions, "mailer", mailer)
    deliver(app)
    assert events(capsys) == [failed("ConnectionRefusedError")]


def test_the_port_of_the_scheme_is_taken_where_none_is_given(
    app: App, context: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def connect(address: Any, *_: Any, **__: Any) -> None:
        asked.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(smtplib.socket, "create_connection", connect)  # type: ignore[attr-defined]  # because typeshed does not list what smtplib imports
    for scheme in ("smtp", "smtps"):
        mailer = mail.Mailer(f"{scheme}://mail.example.org", SENDER, Path("/nowhere"))
        monkeypatch.setitem(app.extensions, "mailer", mailer)
        deliver(app)
    assert asked == [("mail.example.org", 587), ("mail.example.org", 465)]


def test_the_log_knows_which_request_a_mail_belongs_to(
    app: App, post: Post, capsys: pytest.CaptureFixture[str]
) -> None:
    post()
    with bound_contextvars(request_id="r"):
        deliver(app)
    assert events(capsys) == [{**sent(), "request_id": "r"}]


@pytest.fixture
def written(app: App, context: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where mail is written as there is no server to send it by."""
    folder = tmp_path / "data" / "mail"
    monkeypatch.setitem(app.extensions, "mailer", mail.Mailer(None, SENDER, folder))
    return folder


def test_without_a_server_mail_is_written_for_its_owner_only(
    app: App, written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        deliver(app)
    paths = sorted(written.iterdir())
    assert [path.suffix for path in paths] == [".eml"] * 2
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o600] * 2
    assert written.stat().st_mode & 0o777 == 0o700
    line = {"subject": SUBJECT, "event": "mail.written", "level": "info"}
    assert events(capsys) == [{**line, "file": str(path)} for path in paths]
    message = message_from_bytes(paths[0].read_bytes(), policy=default)
    assert (message["From"], message["To"], message["Subject"]) == (SENDER, TO, SUBJECT)
    assert message.get_content().splitlines() == TEXT.splitlines()


def test_a_folder_that_cannot_be_written_is_logged(
    app: App, written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written.parent.mkdir()
    written.write_text("a file")
    deliver(app)
    assert events(capsys) == [failed("FileExistsError")]


def test_a_disk_that_is_full_is_logged(
    app: App, written: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, f"No space left for {TO}")

    monkeypatch.setattr(mail.Mailer, "_write", full)
    deliver(app)
    assert events(capsys) == [failed("OSError")]


def test_the_settings_say_by_what_and_from_whom(app: App) -> None:
    mailer: mail.Mailer = app.extensions["mailer"]
    assert (mailer.url, mailer.sender) == (None, app.config["MAIL_FROM"])
    assert mailer.folder == app.config["DATA_DIR"] / "mail"


def test_a_mail_lets_the_answer_go_first(
    app: App, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Composing it would slow the answer down, and so tell that there is a mail."""
    monkeypatch.setattr(mail, "PAUSE", 0.4)
    with transaction():
        mail.send(TO, SUBJECT, TEXT)
    time.sleep(0.1)
    assert not written.exists()
    app.extensions["mailer"].thread.submit(int).result(10)
    assert len([*written.iterdir()]) == 1


def test_what_would_wait_too_long_is_dropped_and_logged(
    app: App, written: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mail, "MOST", 2)
    mailer: mail.Mailer = app.extensions["mailer"]
    gate = Event()
    mailer.thread.submit(gate.wait, 10)
    with transaction():
        for _ in range(4):
            mail.send(TO, SUBJECT, TEXT)
    assert events(capsys) == [failed("TooManyWaiting")] * 2
    gate.set()
    mailer.thread.submit(int).result(10)
    deliver(app)  # there is room again
    assert len([*written.iterdir()]) == 3


def test_a_process_that_ends_says_how_many_mails_it_drops(
    app: App, written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mailer: mail.Mailer = app.extensions["mailer"]
    gate = Event()
    mailer.thread.submit(gate.wait, 10)
    with transaction():
        for _ in range(3):
            mail.send(TO, SUBJECT, TEXT)
    mailer.close()
    gate.set()
    mailer.thread.shutdown(wait=True)
    assert events(capsys) == [{"count": 3, "event": "mail.dropped", "level": "error"}]
    assert not written.exists()
    mailer.close()  # again, and of nothing
    assert events(capsys) == []


def test_nobody_waits_for_a_slow_server(app: App, post: Post) -> None:
    office = post()
    mailer: mail.Mailer = app.extensions["mailer"]
    mailer.thread.submit(time.sleep, 0.6)
    began = time.perf_counter()
    with transaction():
        mail.send(TO, SUBJECT, TEXT)
    assert time.perf_counter() - began < 0.5
    deliver(app)
    assert len(office.envelopes) == 2
