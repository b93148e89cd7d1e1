"""`make run`, as a stranger meets it: one command, and the lines it prints work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from config import ROOT
from project.embedded import Cluster
from tests.server import free_port


@contextmanager
def make_run(data_dir: Path, port: int) -> Iterator[Callable[[], str]]:
    """`make run` in its own terminal session; yields a way to read what it printed."""
    log = data_dir.with_suffix(".log")
    environment = {**os.environ, "DATA_DIR": str(data_dir), "PORT": str(port)}
    environment["WEB_CONCURRENCY"] = "1"  # gunicorn gives one that still boots 30 seconds to end
    for inherited in ("DATABASE_URL", "SECRET_KEY", "APP_ENV", "MAKEFLAGS", "MAKELEVEL"):
        environment.pop(inherited, None)
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["make", "run"],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        within(60, lambda: answers(port))
        yield log.read_text
    finally:
        os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C does
        process.wait(60)


def answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def within(seconds: float, happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def test_the_first_start_prints_lines_that_work(tmp_path: Path) -> None:
    data_dir, port = tmp_path / "the data", free_port()
    with make_run(data_dir, port) as printed:
        lines = [line for line in printed().splitlines() if "curl" in line]
        assert len(lines) >= 2
        ran = subprocess.run(
            ["bash", "-ec", "\n".join(lines)], capture_output=True, text=True, check=True
        )
        answers = ran.stdout.replace("}{", "}\n{").splitlines()
        assert [json.loads(answer)["id"] for answer in answers] == [1] * (len(lines) - 1)
        assert f"http://127.0.0.1:{port}/docs" in printed()
        assert Cluster(data_dir).status()["running"]
        within(20, lambda: "worker.started" in printed())
    with make_run(data_dir, port) as printed:
        assert "password" not in printed()
    within(10, lambda: not Cluster(data_dir).status()["running"])
