"""The embedded PostgreSQL as its users see it: one call starts it, and a lease keeps it."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import psycopg2.extensions

from . import binaries, keeper
from .binaries import EmbeddedError

NAME = "stockroom"  # the application's role, and its database
PORT = 5432  # no TCP port, but part of the socket's file name
PATIENCE = 90.0  # seconds for the server to be ready; a crash recovery can be long


class Cluster:
    """A PostgreSQL of its own in `data_dir`/postgres, alive while any process holds a lease on it.

    `settings` override the server's; it outlives its last user by `grace` seconds.
    Nothing is touched before `ensure`.
    """

    def __init__(
        self, data_dir: Path, settings: Mapping[str, str] | None = None, grace: float = 5.0
    ) -> None:
        self.home = data_dir.resolve() / "postgres"
        self.data, self.log = self.home / "data", self.home / "server.log"
        self.users, self.starting, self.keeping = (
            self.home / f"{name}.lock" for name in ("users", "starting", "keeper")
        )
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]
        self.socket = Path("/tmp", f"{NAME}-{digest}")  # short: a socket's path has 103 bytes
        self.settings, self.grace = dict(settings or {}), grace
        self._lease: int | None = None

    @property
    def url(self) -> str:
        return f"postgresql+psycopg2://{NAME}@/{NAME}?host={self.socket}&port={PORT}"

    def ensure(self) -> str:
        """Have the server running for as long as this process lives, and return its URL.

        Raises EmbeddedError when that cannot be, psycopg2.OperationalError when the server dies
        at that very moment.
        """
        with self._one_sentence():
            if self._lease is None or not self._up():
                programs = binaries.find()
                self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
                with keeper.exclusive(self.starting):
                    if self._lease is None:
                        self._lease = keeper.share(self.users)
                    self._start(programs)
                    self._provide()
        return self.url

    def release(self) -> None:
        """Give this process's lease back; a child that was forked with it keeps its own."""
        if self._lease is not None:
            os.close(self._lease)
            self._lease = None

    def stop(self) -> bool:
        """Stop the server now, its users or not; False if it did not run."""
        if not self._ready():
            return False
        with self._one_sentence(), keeper.exclusive(self.starting):
            if not keeper.held(self.keeping):
                self._summon(binaries.find())
            keeper.end(self.data, self.keeping)
        return True

    def status(self) -> dict[str, object]:
        """What is there at this moment; starts nothing. Raises EmbeddedError without programs."""
        programs, running = binaries.find(), self._ready()
        with self._one_sentence():
            return {
                "running": running,
                "pid": keeper.server_pid(self.data) if running else None,
                "data": self.data,
                "socket": self.socket,
                "binaries": programs,
                "version": binaries.version(programs),
                "in_use": self.users.exists() and keeper.held(self.users),
            }

    def _up(self) -> bool:
        return keeper.held(self.keeping) and self._ready()

    def _ready(self) -> bool:
        try:
            self._connect().close()
        except psycopg2.OperationalError:
            return False
        return True

    def _connect(self) -> psycopg2.extensions.connection:
        """As superuser: the server keeps three connections for one when all others are taken."""
        return psycopg2.connect(
            host=str(self.socket), port=PORT, user="postgres", dbname="postgres", connect_timeout=3
        )

    def _start(self, programs: Path) -> None:
        """Summon the keeper, also to a server that outlived its own, until that is ready."""
        summoned, deadline = False, time.monotonic() + PATIENCE
        while not self._up():
            alone = not keeper.held(self.keeping)
            if (alone and summoned) or time.monotonic() > deadline:
                raise self._failure()
            if alone:
                self._summon(programs)
                summoned = True
            time.sleep(0.03)

    def _summon(self, programs: Path) -> None:
        """Run the keeper, which detaches itself and shares nothing with us but its log."""
        uid, gid = binaries.account(self.data)
        programs = binaries.reachable(programs, uid, gid)
        options = [f"--{name}={value}" for name, value in self.settings.items()]
        orders = [self.home, self.socket, programs, self._major(programs), uid, gid, self.grace]
        command = [sys.executable, "-I", "-S", keeper.__file__, *map(str, orders), *options]
        env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
        with self.log.open("ab") as log:
            log.truncate(0)
            subprocess.run(  # when it fails, its log tells
                command, cwd="/", env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _major(self, programs: Path) -> str:
        ours = binaries.version(programs).split(".")[0]
        mark = self.data / "PG_VERSION"
        theirs = mark.read_text().strip() if mark.exists() else ours
        if theirs != ours:
            raise EmbeddedError(
                f"{self.data} was made by PostgreSQL {theirs} and {programs} is PostgreSQL {ours}: "
                f"set PG_BIN to the programs of PostgreSQL {theirs}, or move {self.home} away."
            )
        return ours

    def _provide(self) -> None:
        """Create the application's role and database where they are missing."""
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute("select from pg_roles where rolname = %s", [NAME])
            if not cursor.rowcount:
                cursor.execute(f"create role {NAME} login createdb")
            cursor.execute("select from pg_database where datname = %s", [NAME])
            if not cursor.rowcount:
                cursor.execute(f"create database {NAME} owner {NAME}")

    def _failure(self) -> EmbeddedError:
        lines = self.log.read_text(errors="replace").splitlines() or ["it left no word"]
        telling = [line for line in lines if "FATAL" in line or "rror:" in line] or lines
        return EmbeddedError(
            f"PostgreSQL did not start, {telling[-1]!r} are its last words in {self.log}: "
            "mend what they say, or set DATABASE_URL to a server's address."
        )

    @contextmanager
    def _one_sentence(self) -> Iterator[None]:
        try:
            yield
        except (OSError, subprocess.SubprocessError) as error:
            raise EmbeddedError(
                f"PostgreSQL cannot live in {self.home}, {error}: mend that, choose another data "
                "folder, or set DATABASE_URL to a server's address."
            ) from error
