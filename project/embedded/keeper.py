"""The keeper: a process of its own that starts the server, revives it, ends it after its last user.

It is run by its path, on the standard library alone. Who lives is never guessed from a pid: every
party holds the lock of a file, and the kernel drops it however its holder dies.

    users.lock     shared by all users; the keeper takes it whole to end, and newcomers wait
    starting.lock  one user at a time starts or stops the server
    keeper.lock    the keeper's
    server.lock    inherited by initdb, by postgres and by all children of postgres
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import IO, Any

with suppress(ImportError):  # Windows has neither, but no server either
    import fcntl
    import pwd

INITDB = ["-Upostgres", "-EUTF8", "--auth-local=trust", "--auth-host=reject", "--data-checksums"]
POSTGRES = ["--listen_addresses=", "--unix_socket_permissions=0700", "--max_connections=60"]
POSTGRES += ["--log_min_error_statement=panic"]  # statements hold what nobody should read


def seize(path: Path) -> IO[str] | None:
    """The file, locked for us alone until closed; None while anybody else has a lock on it."""
    file = path.open("a")
    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file
    file.close()
    return None


def held(path: Path) -> bool:
    """Whether anybody has a lock on the file."""
    if path.exists() and (file := seize(path)):
        file.close()
        return False
    return path.exists()


def share(path: Path) -> int:
    """A descriptor of the file with the lock that users share, once the keeper lets them."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Wait for the file's lock and hold it for the block."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
        fcntl.flock(file, fcntl.LOCK_UN)  # a child forked meanwhile has the file open, too


def account(data: Path) -> dict[str, Any]:
    """Whom `Popen` runs the server as: us; or, as PostgreSQL refuses root, another account."""
    if os.geteuid():
        return {"user": os.geteuid(), "group": os.getegid()}
    uid, gid = (data.stat().st_uid, data.stat().st_gid) if data.exists() else (0, 0)
    if uid == 0:
        known = {entry.pw_name: (entry.pw_uid, entry.pw_gid) for entry in pwd.getpwall()}
        uid, gid = known.get("postgres") or known["nobody"]
    return {"user": uid, "group": gid, "extra_groups": []}


def server_pid(home: Path) -> int | None:
    """The pid that the server wrote down, and removes when it ends in order."""
    with suppress(FileNotFoundError, ValueError):  # ValueError: only half of it is written yet
        return int((home / "data" / "postmaster.pid").read_text().split("\n")[0])
    return None


def end(home: Path, socket: Path) -> None:
    """Have the server end its connections and itself, until its lock is free."""
    while held(home / "server.lock"):
        if pid := server_pid(home):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
        time.sleep(0.05)
    with suppress(OSError):  # not ours, or gone
        socket.rmdir()


class Keeper:
    """One server from `initdb` to its last user; `grace` is in seconds."""

    def __init__(
        self, home: str, socket: str, programs: str, major: str, grace: str, *settings: str
    ) -> None:
        self.home, self.data, self.socket = Path(home), Path(home, "data"), Path(socket)
        self.programs, self.major, self.account = Path(programs), int(major), account(self.data)
        self.settings = [*POSTGRES, f"--unix_socket_directories={socket}", *settings]
        self.grace, self.last_used = float(grace), time.monotonic()
        self.postgres: Popen[bytes] | None = None

    def keep(self) -> None:
        try:
            self.start()
            while self.used():
                time.sleep(0.2)
                if not held(self.home / "server.lock"):
                    if server_pid(self.home) is None or self.is_orphaned():
                        return  # it was stopped in order, or there is no folder to serve
                    self.start()
        finally:
            if self.postgres:  # by its handle: somebody may have deleted lock and pid
                self.postgres.send_signal(signal.SIGINT)
                self.postgres.wait()
            end(self.home, self.socket)

    def used(self) -> bool:
        """False after `grace` without a user; then the users' lock stays ours to the end."""
        self.users = seize(self.home / "users.lock")
        if self.users is None:
            self.last_used = time.monotonic()
        elif time.monotonic() - self.last_used <= self.grace:
            self.users.close()
        return self.users is None or self.users.closed

    def is_orphaned(self) -> bool:
        """Whether our server runs on without its lock: somebody is deleting the folder."""
        try:
            if self.postgres:
                self.postgres.wait(1)
        except TimeoutExpired:
            return True
        return False

    def start(self) -> None:
        """Start the server, unless one that outlived its keeper is still there."""
        if lock := seize(self.home / "server.lock"):
            with lock:
                if not (self.data / "PG_VERSION").exists():
                    self.initialise(lock)
                self.own(self.data)
                self.own(self.socket)
                # Nobody runs here, says the lock; these may name a recycled pid, a zombie, a copy.
                for leftover in self.data / "postmaster.pid", *self.socket.glob(".s.PGSQL.*"):
                    leftover.unlink(missing_ok=True)
                self.postgres = self.run("postgres", self.data, lock, self.settings)

    def initialise(self, lock: IO[str]) -> None:
        """Make the data folder under another name, so that half of one is never taken for it."""
        unfinished = self.home / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        self.own(unfinished)
        builtin = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        locale = builtin if self.major >= 17 else ["--locale=C.UTF-8"]
        if self.run("initdb", unfinished, lock, INITDB + locale).wait():
            sys.exit(1)  # initdb has told why
        unfinished.rename(self.data)

    def run(self, program: str, data: Path, lock: IO[str], options: list[str]) -> Popen[bytes]:
        """Start a program on the folder, which it inherits: parents like /root stay closed."""
        folder = os.open(data, os.O_RDONLY)
        where = f"/proc/self/fd/{folder}" if Path("/proc/self/fd").exists() else data
        command = [self.programs / program, "-D", where, *options]
        process = Popen(command, pass_fds=[lock.fileno(), folder], **self.account)
        os.close(folder)
        return process

    def own(self, folder: Path) -> None:
        """Give the folder, made if need be, to the server's account alone."""
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        uid, gid, owner = self.account["user"], self.account["group"], folder.lstat().st_uid
        if folder.is_symlink() or owner not in (os.geteuid(), uid):  # in /tmp, anybody may be first
            sys.exit(f"FATAL: {folder} belongs to somebody else")
        if owner != uid:
            for path in folder, *folder.rglob("*"):
                os.chown(path, uid, gid, follow_symlinks=False)
        folder.chmod(0o700)


if __name__ == "__main__":
    lock = os.open(Path(sys.argv[1], "keeper.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)  # held to the very end: who sees it free reads our last words
    if os.fork():
        os._exit(0)  # the child goes on, and no terminal and no parent waits for it
    os.setsid()
    for ending in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        signal.signal(ending, signal.SIG_IGN)
    Keeper(*sys.argv[1:]).keep()
