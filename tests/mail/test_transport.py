"""What a real SMTP server gets to read, and what the log tells when it gets nothing."""

from __future__ import annotations

import json
import smtplib
import socket
import ssl
from collections.abc import Callable
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword

from project import origin
from project.http.app import App
from project.jobs.registry import Task
from project.mail import transport
from project.mail.transport import Delayed, Mailer, Unanswered, Undelivered
from tests.letters import read
from tests.mail.office import (
    CERTIFICATE,
    NAME,
    SENDER,
    SUBJECT,
    TEXT,
    TO,
    WORD,
    Courier,
    Office,
    context,
    deliver,
)
from tests.server import free_port

GIVEN = f"{quote(NAME, safe='')}:{quote(WORD, safe='')}@"


def events(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The log since one looked last; no line of it may tell who gets which mail."""
    logged = capsys.readouterr().err
    for secret in ("ada", "@", "Dear", WORD):
        assert secret not in logged
    lines = map(json.loads, logged.splitlines())
    return [{key: value for key, value in line.items() if key != "time"} for line in lines]


def sent() -> dict[str, Any]:
    return {"subject": SUBJECT, "event": "mail.sent", "level": "info"}


def fails(mailer: Mailer, capsys: pytest.CaptureFixture[str], to: str = TO) -> Undelivered:
    """How a mail is not delivered; neither the log nor the refusal tells to whom."""
    with pytest.raises(Undelivered) as refused:
        deliver(mailer, to)
    assert to not in str(refused.value)
    assert (refused.value.__cause__, refused.value.__suppress_context__) == (None, True)
    return refused.value


def delayed(mailer: Mailer, capsys: pytest.CaptureFixture[str], **told: Any) -> None:
    """It is not delivered, may be later, and the log says why."""
    failure = fails(mailer, capsys)
    assert type(failure) is Delayed
    assert str(told.get("code", told["error"])) in failure.sentence
    line = {"subject": SUBJECT, "event": "mail.failed", "level": "error"}
    assert events(capsys) == [{**line, **told}]


def tried_again(failure: Undelivered) -> bool:
    """Whether a job would try it once more."""
    return Task("t", int, [1], outside=True).wait(failure, 0) is not None


def test_a_mail_arrives_as_it_was_written(
    post: Courier, capsys: pytest.CaptureFixture[str]
) -> None:
    office, mailer = post()
    deliver(mailer)
    [envelope], [message] = office.envelopes, office.messages
    assert (envelope.mail_from, envelope.rcpt_tos) == ("shop@example.com", [TO])
    assert (message["From"], message["To"], message["Subject"]) == (SENDER, TO, SUBJECT)
    assert read(message).splitlines() == TEXT.splitlines()
    assert message.defects == []
    assert events(capsys) == [sent()]


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
def test_an_address_may_have_any_letters(post: Courier, to: str, utf8: bool) -> None:
    office, mailer = post(enable_SMTPUTF8=True)
    deliver(mailer, to)
    [envelope], [message] = office.envelopes, office.messages
    assert (envelope.rcpt_tos, message["To"]) == ([to], to)
    assert envelope.smtp_utf8 is utf8


def test_an_address_the_server_cannot_read_is_logged(
    post: Courier, capsys: pytest.CaptureFixture[str]
) -> None:
    office, mailer = post(enable_SMTPUTF8=False)
    fails(mailer, capsys, "r\u00e9n\u00e9@example.org")
    assert office.envelopes == []
    [event] = events(capsys)
    assert event["error"] == "SMTPNotSupportedError"


def test_headers_are_ascii_unless_the_server_reads_more(post: Courier) -> None:
    """RFC 6532 needs SMTPUTF8; else a name or a subject is encoded as in RFC 2047."""
    for enabled in (True, False):
        sender = "L\u00e4dchen <shop@example.com>"
        office, mailer = post(sender=sender, enable_SMTPUTF8=enabled)
        deliver(mailer, subject="Gr\u00fc\u00dfe \U0001f600")
        [envelope], [message] = office.envelopes, office.messages
        head, _, _ = envelope.content.partition(b"\r\n\r\n")
        assert head.isascii() or envelope.smtp_utf8
        assert (message["From"], message["Subject"]) == (sender, "Gr\u00fc\u00dfe \U0001f600")


@pytest.mark.parametrize("text", [".", "..\n.\n", "x" * 5000, "\u20ac" * 2000, "a\r\nb\rc\nd"])
def test_a_text_may_look_like_anything(post: Courier, text: str) -> None:
    office, mailer = post()
    deliver(mailer, text=text)
    [envelope], [message] = office.envelopes, office.messages
    assert read(message).splitlines() == text.splitlines()
    assert max(map(len, envelope.content.split(b"\r\n"))) <= 998  # RFC 5322 section 2.1.1
    assert b"\n" not in envelope.content.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    ("answer", "again"),
    [
        (f"550 No such user {TO}", False),
        (f"554 {TO} is on a list", False),
        (f"450 Come again in five minutes, {TO}", True),
        (f"452 The mailbox of {TO} is full", True),
    ],
)
@pytest.mark.parametrize("at", ["refuses", "complains"])
def test_what_the_server_refuses_for_good_is_not_tried_again(
    post: Courier, at: str, answer: str, again: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    office, mailer = post()
    setattr(office, at, answer)
    failure = fails(mailer, capsys)
    assert tried_again(failure) is again
    assert not isinstance(failure, Unanswered)
    assert answer[:3] in failure.sentence
    [event] = events(capsys)
    assert (event["event"], event["level"]) == ("mail.failed", "error")
    assert (event["code"], event["subject"]) == (int(answer[:3]), SUBJECT)
    setattr(office, at, "")
    deliver(mailer)
    assert len(office.envelopes) == 1


def signing_office(post: Courier, word: str, **settings: Any) -> tuple[Office, Mailer]:
    """An office that demands a name and a password, and is given this one."""
    user = f"{quote(NAME, safe='')}:{quote(word, safe='')}@"
    made: list[Office] = []

    def authenticate(*given: Any) -> AuthResult:
        return made[0].authenticate(*given)

    office, mailer = post(user=user, authenticator=authenticate, **settings)
    made.append(office)
    return office, mailer


def test_credentials_are_used(
    post: Courier, trusting: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    office, mailer = signing_office(post, WORD, tls_context=context())
    trusting()
    deliver(mailer)
    assert office.signed_in == [LoginPassword(NAME.encode(), WORD.encode())]
    assert office.secure == [True]
    assert events(capsys) == [sent()]


def test_wrong_credentials_are_logged_without_them_and_tried_again(
    post: Courier, trusting: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody may put the settings right, and the mail is innocent."""
    office, mailer = signing_office(post, "wrong", tls_context=context())
    trusting()
    delayed(mailer, capsys, error="SMTPAuthenticationError", code=535)
    assert len(office.signed_in) > 0
    assert office.envelopes == []


def test_no_password_is_sent_in_clear(post: Courier, capsys: pytest.CaptureFixture[str]) -> None:
    """A server that takes passwords but offers no STARTTLS may be somebody in between."""
    office, mailer = signing_office(post, WORD, auth_require_tls=False)
    delayed(mailer, capsys, error="SMTPNotSupportedError")
    assert (office.signed_in, office.envelopes) == ([], [])


@pytest.mark.parametrize("word", ["p\u00e4ss", "\U0001f600", "\x00"])
def test_a_password_of_any_letters_ends_in_a_mail_or_in_the_log(
    post: Courier, word: str, trusting: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    office, mailer = signing_office(post, word, tls_context=context())
    trusting()
    fails(mailer, capsys)
    assert office.envelopes == []
    [event] = events(capsys)
    assert (event["event"], event["level"]) == ("mail.failed", "error")


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_certificate_nobody_vouches_for_is_refused(
    post: Courier, scheme: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing of the mail or the password is sent without it."""
    settings = {"implicit": True} if scheme == "smtps" else {"tls_context": context()}
    office, mailer = post(scheme, GIVEN, **settings)
    delayed(mailer, capsys, error="SSLCertVerificationError")
    assert (office.envelopes, office.signed_in) == ([], [])


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_what_can_be_encrypted_is(
    post: Courier, scheme: str, trusting: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    settings: dict[str, Any] = (
        {"implicit": True}
        if scheme == "smtps"
        else {"tls_context": context(), "require_starttls": True}
    )
    office, mailer = post(scheme, **settings)
    trusting()
    deliver(mailer)
    assert office.secure == [True]
    assert events(capsys) == [sent()]


def test_a_name_that_is_not_the_certificate_s_is_refused(
    post: Courier, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    office, mailer = post(tls_context=context())
    made = ssl.create_default_context(cafile=CERTIFICATE)
    monkeypatch.setattr(transport, "_trusted", lambda: made)
    delayed(mailer, capsys, error="SSLCertVerificationError")
    assert office.envelopes == []


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_server_that_is_away_is_logged(scheme: str, capsys: pytest.CaptureFixture[str]) -> None:
    mailer = Mailer(f"{scheme}://127.0.0.1:{free_port()}", SENDER, Path("/nowhere"))
    delayed(mailer, capsys, error="ConnectionRefusedError")


def test_a_server_that_says_nothing_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(transport, "PATIENCE", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"smtp://127.0.0.1:{silent.getsockname()[1]}"
        delayed(Mailer(url, SENDER, Path("/nowhere")), capsys, error="SMTPServerDisconnected")


def converse(server: socket.socket, *answers: bytes) -> None:
    """Answer each line, or a whole mail, with the next of these; then hang up."""
    connection, _ = server.accept()
    with connection, connection.makefile("rb") as lines:
        for answer in answers:
            connection.sendall(answer)
            if answer.startswith(b"354"):
                while lines.readline() != b".\r\n":
                    pass
            else:
                lines.readline()


@pytest.mark.parametrize(
    ("last", "failure"),
    [
        ([], Unanswered),
        ([b"250 Taken\r\n"], None),
        ([b"250 Taken\r\n", b"421 Leave me alone\r\n"], None),
        ([b"451 Try later\r\n"], Delayed),
    ],
    ids=["silent", "hangs up", "rude", "refuses"],
)
def test_a_server_that_hangs_up_may_have_taken_the_mail(
    last: list[bytes], failure: type[Undelivered] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what it took is not sent again because of how it said goodbye."""
    polite = [b"220 Hello\r\n", *[b"250 OK\r\n"] * 3, b"354 Go on\r\n"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        talk = Thread(target=converse, args=(server, *polite, *last))
        talk.start()
        mailer = Mailer(f"smtp://127.0.0.1:{server.getsockname()[1]}", SENDER, Path("/nowhere"))
        if failure is None:
            deliver(mailer)
        else:
            assert type(fails(mailer, capsys)) is failure
        talk.join(10)
    [event] = events(capsys)
    assert event["event"] == ("mail.sent" if failure is None else "mail.failed")


def test_the_port_of_the_scheme_is_taken_where_none_is_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []

    def connect(address: Any, *_: Any, **__: Any) -> None:
        asked.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(smtplib.socket, "create_connection", connect)  # type: ignore[attr-defined]  # because typeshed does not list what smtplib imports
    for scheme in ("smtp", "smtps"):
        fails(Mailer(f"{scheme}://mail.example.org", SENDER, Path("/nowhere")), capsys)
    assert asked == [("mail.example.org", 587), ("mail.example.org", 465)]


def test_the_log_knows_which_request_a_mail_belongs_to(
    post: Courier, capsys: pytest.CaptureFixture[str]
) -> None:
    _, mailer = post()
    origin.enter("r")
    deliver(mailer)
    assert events(capsys) == [{**sent(), "request_id": "r"}]


def test_without_a_server_mail_is_written_for_its_owner_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data" / "mail"
    for _ in range(2):
        deliver(Mailer(None, SENDER, folder))
    paths = sorted(folder.iterdir())
    assert [path.suffix for path in paths] == [".eml"] * 2
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o600] * 2
    assert folder.stat().st_mode & 0o777 == 0o700
    line = {"subject": SUBJECT, "event": "mail.written", "level": "info"}
    assert events(capsys) == [{**line, "file": str(path)} for path in paths]
    message = message_from_bytes(paths[0].read_bytes(), policy=default)
    assert (message["From"], message["To"], message["Subject"]) == (SENDER, TO, SUBJECT)
    assert read(message).splitlines() == TEXT.splitlines()


def test_a_folder_that_cannot_be_written_is_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mail"
    folder.write_text("a file")
    delayed(Mailer(None, SENDER, folder), capsys, error="FileExistsError")


def test_a_disk_that_is_full_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, f"No space left for {TO}")

    monkeypatch.setattr("project.mail.transport.os.fdopen", full)
    delayed(Mailer(None, SENDER, tmp_path), capsys, error="OSError")


def test_the_settings_say_by_what_and_from_whom(app: App) -> None:
    mailer: Mailer = app.extensions["mailer"]
    assert (mailer.url, mailer.sender) == (None, app.config["MAIL_FROM"])
    assert mailer.folder == app.config["DATA_DIR"] / "mail"
