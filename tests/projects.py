"""`make projects`: begin projects, without some rooms and without none, and run all their tests."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from config import ROOT
from project.scaffold.projects.rooms import optional

CHOSEN: list[str] = ["posts,products", "posts"]


def main() -> None:
    """One after the other; the first that fails ends it."""
    everything = ",".join(optional(ROOT / "project"))
    with tempfile.TemporaryDirectory(prefix="projects-") as name:
        for number, without in enumerate(dict.fromkeys([*CHOSEN, everything, ""])):
            place = Path(name, f"shop{number}")
            begin = ["flask", "new", "project", str(place), "--name", "Shop", "--without", without]
            subprocess.run([sys.executable, "-m", *begin], cwd=ROOT, check=True)
            place.joinpath(".venv").symlink_to(ROOT / ".venv")
            for lock in place.glob("requirements*.txt"):
                os.utime(lock, (0, 0))  # what is installed is what they ask for
            print(f"make test, without {without or 'nothing'}", flush=True)
            subprocess.run(["make", "test"], cwd=place, check=True)


if __name__ == "__main__":
    main()
