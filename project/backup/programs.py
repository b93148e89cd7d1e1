"""PostgreSQL's own programs: pg_dump reads a database, pg_restore a dump, psql writes a database.

They are told the password by their environment: others on the machine can read arguments.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen, SubprocessError, check_output
from tempfile import TemporaryFile
from typing import IO, Any

from psycopg2.extensions import make_dsn, parse_dsn
from sqlalchemy.engine import URL

from config import NAME
from project.embedded import places
from project.errors import Refused

NEEDED = ("pg_dump", "pg_restore", "psql")
# Whose is what, and who may do what, is for the server to say where it is restored.
LEFT_OUT = (
    *("--no-owner", "--no-privileges", "--no-comments", "--no-security-labels"),
    *("--no-publications", "--no-subscriptions"),
)
TRIGRAMS = re.compile(rb" EXTENSION - pg_trgm | INDEX \S+ \S+_trgm ")
NOTHING = re.compile(rb"(?!)")
COPY = re.compile(rb"COPY (.+?) (?:\(.*\) )?FROM stdin;\n")
COPIED = b"\\.\n"
# A pg_restore from 17 on begins with this, and a server before 17 does not know it.
TIMEOUT, TIMEOUT_SINCE = b"SET transaction_timeout = 0;\n", 17
SETTINGS_END = b"SET client_encoding"
PIECE = 1 << 20  # bytes


@dataclass(frozen=True)
class Programs:
    """A folder with them, their major version, and the database that they are for."""

    folder: Path
    major: int
    url: URL

    def dump(self, file: Path, snapshot: str) -> None:
        """Write what a snapshot of the database shows, in pg_dump's custom format; but for what is
        in tables that do not outlive a crash either.
        """
        command = self._on_database(
            "pg_dump",
            *("--format=custom", f"--file={file}", f"--snapshot={snapshot}"),
            *("--no-password", "--no-unlogged-table-data", *LEFT_OUT),
        )
        with TemporaryFile() as said:
            with self._started(command, said, stdin=DEVNULL, stdout=DEVNULL) as dumping:
                dumping.wait()
            _judge(dumping, said)

    def rows(self, dump: Path) -> dict[str, int]:
        """How many rows of which table are in a dump, all of which is read for that."""
        found: dict[str, int] = {}
        with TemporaryFile() as said, self._reading(dump, said) as reading:
            table = None
            for line in _pipe(reading.stdout):
                if table is None:
                    if begins := COPY.fullmatch(line):
                        table = begins[1].decode()
                        found[table] = 0
                elif line == COPIED:
                    table = None
                else:
                    found[table] += 1
            reading.wait()
            _judge(reading, said)
        return found

    def load(
        self, dump: Path, before: str, after: str, *, server: int, leave_out: re.Pattern[bytes]
    ) -> None:
        """Write a dump into the database, between two pieces of SQL.

        The second is said only once all of the dump has been: if it is what commits, then there is
        all or nothing. server: the major version of the database's; leave_out: which lines of the
        table of contents.
        """
        with TemporaryFile() as chosen, TemporaryFile() as read_said, TemporaryFile() as wrote_said:
            self._choose(dump, leave_out, chosen)
            with (
                self._reading(dump, read_said, chosen) as reading,
                self._writing(wrote_said) as writing,
                suppress(BrokenPipeError),  # psql has ended, and told why
                _pipe(writing.stdin) as to,
            ):
                to.write(before.encode())
                for piece in _script(_pipe(reading.stdout), server):
                    to.write(piece)
                if reading.wait() == 0:
                    to.write(after.encode())
            _judge(writing, wrote_said)
            _judge(reading, read_said)

    def _choose(self, dump: Path, leave_out: re.Pattern[bytes], chosen: IO[bytes]) -> None:
        """Write the table of contents of a dump, but for some lines."""
        with TemporaryFile() as said:
            command = [str(self.folder / "pg_restore"), "--list", str(dump)]
            with self._started(command, said, stdin=DEVNULL, stdout=PIPE) as listing:
                lines = _pipe(listing.stdout)
                chosen.writelines(line for line in lines if not leave_out.search(line))
            _judge(listing, said)
        chosen.seek(0)

    def _reading(
        self, dump: Path, said: IO[bytes], chosen: IO[bytes] | None = None
    ) -> Popen[bytes]:
        """pg_restore, which writes a dump as SQL: all of it, or what was chosen."""
        options = [] if chosen is None else ["--use-list=/dev/stdin"]
        command = [str(self.folder / "pg_restore"), *LEFT_OUT, *options, "--file=-", str(dump)]
        return self._started(command, said, stdin=chosen or DEVNULL, stdout=PIPE)

    def _writing(self, said: IO[bytes]) -> Popen[bytes]:
        """psql, which does what it is told until something fails."""
        options = ("--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1")
        command = self._on_database("psql", *options)
        return self._started(command, said, stdin=PIPE, stdout=DEVNULL)

    def _on_database(self, program: str, *options: str) -> list[str]:
        dsn = _dsn(self.url)
        for secret in ("password", "sslpassword"):
            dsn.pop(secret, None)
        return [str(self.folder / program), *options, f"--dbname={make_dsn(**dsn)}"]

    def _started(self, command: list[str], said: IO[bytes], **how: Any) -> Popen[bytes]:
        password = _dsn(self.url).get("password")
        known = {} if password is None else {"PGPASSWORD": password}
        return Popen(command, env=_environment(**known), stderr=said, **how)


def programs(server: int, url: URL) -> Programs:
    """The first that can do with a server of this major version; refuses if there are none."""
    found = []
    for folder in places():
        with suppress(OSError, SubprocessError):  # then it has none that run
            if all((folder / program).exists() for program in NEEDED):
                told = check_output([folder / "pg_dump", "--version"], env=_environment())
                found.append((int(re.findall(rb"\d+", told)[0]), folder))
                if found[-1][0] >= server:
                    return Programs(folder, found[-1][0], url)
    if not found:
        raise Refused(
            "There is no pg_dump, pg_restore and psql here: let PG_BIN be the folder of those of "
            f"PostgreSQL {server}."
        )
    major, folder = max(found)
    raise Refused(
        f"This needs pg_dump, pg_restore and psql of PostgreSQL {server} or newer, and those in "
        f"{folder} are of {major}: let PG_BIN be the folder of newer ones."
    )


def _environment(**more: str) -> dict[str, str]:
    """In plain English, since the first words are told; whoever asks the server sees our name."""
    return {**os.environ, "LC_ALL": "C", "PGAPPNAME": NAME, **more}


def _dsn(url: URL) -> dict[str, str]:
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return dict(parse_dsn(plain))


def _script(lines: IO[bytes], server: int) -> Iterator[bytes]:
    """What pg_restore writes, but for a setting that the server does not know."""
    for line in lines:
        if server >= TIMEOUT_SINCE or line != TIMEOUT:
            yield line
        if line.startswith(SETTINGS_END):
            break
    yield from iter(lambda: lines.read(PIECE), b"")


def _judge(process: Popen[bytes], said: IO[bytes]) -> None:
    """Refuse in the words of a program that has failed: the first line that says error."""
    if process.returncode == 0:
        return
    said.seek(0)
    lines = said.read().decode(errors="replace").splitlines() or ["nothing"]
    told = next((line for line in lines if re.search("error:", line, re.IGNORECASE)), lines[-1])
    words = re.sub(r"^.*?error:\s*", "", told, flags=re.IGNORECASE)
    program = Path(str(process.args[0])).name  # type: ignore[index] # it is a list
    raise Refused(f"{program} has failed: {words.rstrip('.')}.")


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # it was asked for
    return stream
