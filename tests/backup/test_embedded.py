"""From a server into the embedded database, and back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from config import ROOT
from project.embedded import Cluster
from tests.backup.terminal import Terminal, schema
from tests.conftest import FAST, SECRET


def test_a_backup_goes_into_the_embedded_database_and_out_of_it(
    source: Terminal, kept: Path, empty: Terminal, tmp_path: Path
) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    environment |= {"DATA_DIR": str(tmp_path), "SECRET_KEY": SECRET}

    def flask(*command: object) -> str:
        return subprocess.check_output(
            [sys.executable, "-m", "flask", *map(str, command)],
            cwd=ROOT,
            env=environment,
            text=True,
        )

    cluster = Cluster(tmp_path, FAST)
    cluster.ensure()
    try:
        flask("restore", kept)
        flask("backup", tmp_path / "file")
    finally:
        cluster.stop()
        cluster.release()
    empty.done("restore", tmp_path / "file")
    assert schema(empty.url) == schema(source.url)
    assert empty.sql("SELECT count(*) FROM samples") == 1000
