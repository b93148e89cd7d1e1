"""Somebody who follows the tutorial: a shell whose variables stay, and terminals beside it."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from pathlib import Path
from typing import Self

from tests.house.test_start import answers, within
from tests.server import free_port

PASSWORD = "correct horse battery"  # typed where a command asks for one
INHERITED = ("HOME", "LANG", "PATH", "PG_BIN", "TMPDIR")
NAMED = {"NAME": "Ada", "EMAIL": "ada@example.org"}
COMMITTER = {
    f"GIT_{who}_{what}": name for who in ("AUTHOR", "COMMITTER") for what, name in NAMED.items()
}


class Reader:
    """At home in a copy of the house; on exit nothing runs any more.

    database_url: what the reader deploys to.
    settings: further variables of the shell.
    """

    def __init__(self, home: Path, database_url: str, **settings: str) -> None:
        self.home, self.port = home, free_port()
        self.database_url = shlex.quote(database_url)
        self.password = PASSWORD
        self.variables, self.log = home.parent / "variables", home.parent / "terminals.log"
        self.terminals: list[subprocess.Popen[bytes]] = []
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        known = {
            **inherited,
            **COMMITTER,
            "PORT": str(self.port),
            "WEB_CONCURRENCY": "1",
            **settings,
        }
        lines = (f"export {name}={shlex.quote(value)}\n" for name, value in known.items())
        self.variables.write_text("".join(lines))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.interrupt()

    def run(self, commands: str) -> tuple[str, int]:
        """What the commands print, and how they end; the variables they set stay."""
        lines = [
            "set -aeo pipefail",
            f". {self.variables}",
            commands,
            f"export -p > {self.variables}",
        ]
        ended = subprocess.run(
            ["bash", "-c", self.own("\n".join(lines))],
            cwd=self.home,
            env={},
            input=f"{PASSWORD}\n" * 2,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # without a terminal, so that passwords are read from the input
            text=True,
            check=False,
        )
        if "Repeat for confirmation" in ended.stdout:
            self.password = PASSWORD
        return ended.stdout, ended.returncode

    def start(self, command: str) -> str:
        """Start what stays, and tell what it printed; what serves takes the place of the last."""
        serves = "worker" not in command
        if serves:
            self.interrupt()
            self.log.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            script = f". {self.variables}; exec {command}"
            terminal = subprocess.Popen(
                ["bash", "-c", script],
                cwd=self.home,
                env={},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.terminals.append(terminal)
        if serves:
            within(60, lambda: answers(self.port) or terminal.poll() is not None)
        assert terminal.poll() is None, self.printed
        if told := re.search(r"^ +password +(\S+)$", self.printed, re.MULTILINE):
            self.password = told[1]
        return self.printed

    @property
    def printed(self) -> str:
        return self.log.read_text()

    def interrupt(self) -> None:
        """Ctrl-C in every terminal."""
        for terminal in self.terminals:
            os.killpg(terminal.pid, signal.SIGINT)
        for terminal in self.terminals:
            terminal.wait(30)
        self.terminals.clear()

    def edit(self, change: str) -> None:
        """Apply a diff; `…` in a name stands for what the reader finds there."""
        for named in set(re.findall(r"(?<= [ab]/)\S*…\S*", change)):
            [found] = self.home.glob(named.replace("…", "*"))
            change = change.replace(named, str(found.relative_to(self.home)))
        subprocess.run(["git", "apply", "-"], cwd=self.home, input=change, text=True, check=True)

    def write(self, place: str, text: str) -> None:
        (self.home / place).write_text(text)

    def own(self, text: str) -> str:
        """The same with the reader's own password, port and database."""
        text = text.replace('"password": "…"', f'"password": "{self.password}"')
        text = text.replace("//127.0.0.1:8000", f"//127.0.0.1:{self.port}")
        return text.replace("postgresql://user:password@host/name", self.database_url)
