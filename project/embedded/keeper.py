"""The keeper: a process of its own that starts the server, revives it, ends it after its last user.

It is run by its path and needs the standard library alone, so nobody's current directory,
PYTHONPATH or packages can disturb it. Who lives is never guessed from a pid: every party holds
the lock of a file, and the kernel drops it however its holder dies.

    users.lock     shared by all users; the keeper takes it whole to end, and newcomers wait
    starting.lock  one user at a time starts or stops the server
    keeper.lock    the keeper's
    server.lock    inherited by initdb, by postgres and by all children of postgres
"""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

with suppress(ImportError):  # Windows has none, but it has no server for a lock to guard either
    import fcntl

Process = subprocess.Popen[bytes]
TICK = 0.2  # seconds between two looks at the server and its users
INITDB = ["-Upostgres", "-EUTF8", "--auth-local=trust", "--auth-host=reject", "--data-checksums"]
POSTGRES = ["--listen_addresses=", "--unix_socket_permissions=0700", "--max_connections=60",
            "--timezone=UTC", "--log_timezone=UTC"]  # fmt: skip


def seize(path: Path) -> IO[str] | None:
    """The file, locked for us alone until closed; None while anybody else has a lock on it."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def held(path: Path) -> bool:
    """Whether anybody has a lock on the file."""
    if file := seize(path):
        file.close()
    return file is None


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
        try:
            yield
        finally:  # closing is not enough: a child forked meanwhile has the file open too
            fcntl.flock(file, fcntl.LOCK_UN)


def server_pid(data: Path) -> int | None:
    """The pid that the folder's server wrote down, and removes when it ends in order."""
    try:
        return int((data / "postmaster.pid").read_text().split("\n")[0])
    except (FileNotFoundError, ValueError):  # ValueError: only half of it is written yet
        return None


def end(data: Path, lock: Path) -> None:
    """Have the folder's server end its connections and itself, until the lock is free."""
    while held(lock):
        if pid := server_pid(data):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
        time.sleep(0.05)


class Keeper:
    """One server from `initdb` to its last user; `grace` is in seconds."""

    def __init__(self, home: str, socket: str, programs: str, major: str, uid: str, gid: str,
                 grace: str, *options: str) -> None:  # fmt: skip
        self.home, self.data, self.socket = Path(home), Path(home, "data"), Path(socket)
        self.programs, self.major, self.account = Path(programs), int(major), (int(uid), int(gid))
        self.grace, self.last_used = float(grace), time.monotonic()
        self.options = [*POSTGRES, f"--unix_socket_directories={socket}", *options]
        self.postgres: Process | None = None
        self.seen = False

    def keep(self) -> None:
        try:
            while self.serving() and self.used():
                time.sleep(TICK)
        finally:
            self.stop()

    def serving(self) -> bool:
        """Start the server if it is not there; False once somebody has stopped it in order."""
        if vacant := seize(self.home / "server.lock"):
            with vacant:
                if self.seen and server_pid(self.data) is None:
                    return False
                self.start(vacant)
        self.seen = True
        return True

    def used(self) -> bool:
        """False after `grace` without a user; then the users' lock stays ours to the end."""
        self.users = seize(self.home / "users.lock")
        if self.users is None:
            self.last_used = time.monotonic()
        elif time.monotonic() - self.last_used > self.grace:
            return False
        else:
            self.users.close()
        return True

    def start(self, lock: IO[str]) -> None:
        if self.postgres:
            self.postgres.wait()
        if not (self.data / "PG_VERSION").exists():
            self.initialise(lock)
        self.own(self.data)
        self.own_socket()
        # Nobody runs here, says the lock; these may name a recycled pid, a zombie, another copy.
        for leftover in self.data / "postmaster.pid", *self.socket.glob(".s.PGSQL.*"):
            leftover.unlink(missing_ok=True)
        self.postgres = self.run("postgres", self.data, self.options, lock)

    def initialise(self, lock: IO[str]) -> None:
        """Make the data folder under another name, so that half of one is never taken for it."""
        unfinished = self.home / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        self.own(unfinished)
        builtin = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        locale = builtin if self.major >= 17 else ["--locale=C.UTF-8"]
        sync = ["--no-sync"] if "--fsync=off" in self.options else []
        if self.run("initdb", unfinished, INITDB + locale + sync, lock).wait():
            sys.exit(1)  # initdb has told why
        unfinished.rename(self.data)

    def run(self, program: str, data: Path, options: list[str], lock: IO[str]) -> Process:
        """Start a program on the data folder; for root, whom PostgreSQL refuses, as the account.

        It inherits the folder open and need not reach it: parents like /root stay closed.
        """
        folder, where, account = os.open(data, os.O_RDONLY), str(data), dict[str, Any]()
        if os.geteuid() == 0:
            account = {"user": self.account[0], "group": self.account[1], "extra_groups": []}
            if Path("/proc/self/fd").is_dir():
                where = f"/proc/self/fd/{folder}"
        command = [str(self.programs / program), "-D", where, *options]
        try:
            return subprocess.Popen(command, pass_fds=[lock.fileno(), folder], **account)
        finally:
            os.close(folder)

    def own(self, data: Path) -> None:
        """Give the folder, made or copied here by root, to the server's account alone."""
        if data.stat().st_uid != self.account[0]:
            for path in data, *data.rglob("*"):
                os.chown(path, *self.account, follow_symlinks=False)
        data.chmod(0o700)

    def own_socket(self) -> None:
        """Make the socket's folder; in /tmp anybody may have been there before, with a link too."""
        with suppress(FileExistsError):
            self.socket.mkdir(mode=0o700)
        found = self.socket.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.geteuid(), self.account[0]):
            sys.exit(f"FATAL: {self.socket} belongs to somebody else, remove it")
        os.chown(self.socket, *self.account, follow_symlinks=False)

    def stop(self) -> None:
        """End the server, if there is one, and remove its socket."""
        if self.postgres:  # works for a deleted folder, too
            self.postgres.send_signal(signal.SIGINT)
            self.postgres.wait()
        end(self.data, self.home / "server.lock")
        with suppress(OSError):  # not ours, or gone
            self.socket.rmdir()


def main(home: str, *orders: str) -> None:
    """Take the keeper's lock, and go on as a child that no terminal and no parent waits for."""
    with Path(home, "keeper.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fork():
            os._exit(0)
        os.setsid()
        for ending in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
            signal.signal(ending, signal.SIG_IGN)
        Keeper(home, *orders).keep()


if __name__ == "__main__":
    main(*sys.argv[1:])
