"""`make lint`: whether anything that is locked has a known vulnerability; at most once a day.

pip-audit asks OSV (https://osv.dev), or the service that ADVISORIES_URL names, about each version
in the locks. Where the service cannot be reached, one sentence says so, and nothing fails.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from config import ROOT

SERVICE = "https://api.osv.dev/v1/query"
LOCKS = tuple(sorted(ROOT.glob("requirements*.txt")))
REACH = 3  # seconds until a service that does not answer is none
ANSWER = 10  # seconds for each answer
WHOLE = 120  # seconds for all of them
LOST = re.compile(r"requests\.exceptions|ServiceError|Could not connect")  # in its last words


def main(service: str, locks: Sequence[Path], asked: Path) -> int:
    """The exit code: 1 for an advisory, 0 for none or where nobody could be asked."""
    today = f"{datetime.now(UTC):%Y-%m-%d} {service} {_digest(locks)}"
    if asked.exists() and asked.read_text() == today:
        return 0
    if (why := _unreachable(service)) is not None:
        return _skipped(why)
    try:
        ran = subprocess.run(
            _command(service, locks), capture_output=True, text=True, check=False, timeout=WHOLE
        )
    except subprocess.TimeoutExpired:
        return _skipped(f"{service} did not answer within {WHOLE} seconds")
    if ran.returncode == 0:
        asked.write_text(today)
        return 0
    if not ran.stdout and LOST.search(ran.stderr):
        return _skipped(f"{service} did not answer as it should")
    print(ran.stdout or ran.stderr, end="")
    return 1


def _digest(locks: Sequence[Path]) -> str:
    return hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()


def _command(service: str, locks: Sequence[Path]) -> list[str]:
    options = ["--vulnerability-service=osv", f"--osv-url={service}", f"--timeout={ANSWER}"]
    options += ["--disable-pip", "--progress-spinner=off"]
    files = [f"--requirement={lock}" for lock in locks]
    return [sys.executable, "-m", "pip_audit", *options, *files]


def _unreachable(service: str) -> str | None:
    url = urlsplit(service)
    try:
        with socket.create_connection((url.hostname, url.port or 443), REACH):
            return None
    except OSError as error:
        return f"{url.hostname} cannot be reached ({error.strerror or error})"


def _skipped(why: str) -> int:
    print(f"skipped: advisories were not asked for, since {why}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ.get("ADVISORIES_URL", SERVICE), LOCKS, ROOT / ".venv" / "advisories"))
