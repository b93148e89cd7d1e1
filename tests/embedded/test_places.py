"""Wherever the folder is, and whatever was in it or in its place before."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config import NAME
from project.embedded import Cluster, EmbeddedError
from project.embedded import cluster as embedded

Make = Callable[..., Cluster]
Ask = Callable[..., Any]


@pytest.mark.parametrize(
    "folder",
    ["with spaces and 'quotes' \"of\" {both} %s kinds", "ünïcödé", "/".join(["deep" * 12] * 12)],
    ids=["quotes", "unicode", "long"],
)
def test_any_folder_name_will_do(make: Make, ask: Ask, folder: str) -> None:
    cluster = make(folder)
    cluster.ensure()
    assert len(os.fsencode(cluster.socket / ".s.PGSQL.5432.lock")) <= 103
    assert ask(cluster, "select 1") == 1


def test_parents_of_mode_700_stay_so_and_other_files_are_left_alone(
    make: Make, tmp_path: Path
) -> None:
    home = tmp_path / "closed" / "data"
    home.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    (home / "secret_key").write_text("x")
    (home / "secret_key").chmod(0o640)

    def looks() -> list[tuple[int, int]]:
        paths = [*home.parents, home, home / "secret_key"]
        return [(path.stat().st_mode, path.stat().st_uid) for path in paths]

    before = looks()
    cluster = make("closed/data")
    cluster.ensure()
    assert looks() == before
    assert cluster.home.parent == home
    assert stat.S_IMODE(cluster.home.stat().st_mode) == 0o700


def test_root_runs_the_server_in_an_account_that_exists_already(
    make: Make, processes: Callable[..., list[Any]]
) -> None:
    accounts = Path("/etc/passwd").read_bytes()
    cluster = make()
    cluster.ensure()
    (server,) = (each for each in processes(cluster) if each.pid == cluster.status()["pid"])
    assert server.uids().effective != 0
    assert server.uids().effective == (os.geteuid() or cluster.data.stat().st_uid)
    assert cluster.data.is_relative_to(cluster.home)  # the data stay where they were asked to be
    assert Path("/etc/passwd").read_bytes() == accounts


def test_programs_in_a_closed_virtualenv_work_too(
    make: Make, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = embedded.find().parent
    site = tmp_path / "venv" / "site-packages"
    shutil.copytree(wheel, site / wheel.parent.name / wheel.name)
    for libraries in wheel.parent.parent.glob(f"{wheel.parent.name}.libs"):
        shutil.copytree(libraries, site / libraries.name)
    (tmp_path / "venv").chmod(0o700)
    monkeypatch.setenv("PG_BIN", str(site / wheel.parent.name / wheel.name / "bin"))
    monkeypatch.setattr(embedded, "COPIES", Path(f"/var/tmp/{NAME}-test-{os.getpid()}"))
    cluster = make()
    try:
        cluster.ensure()
        ask(cluster, "create extension pg_trgm")
        assert stat.S_IMODE((tmp_path / "venv").stat().st_mode) == 0o700
        assert cluster.stop()
    finally:
        shutil.rmtree(embedded.COPIES, ignore_errors=True)


def test_two_checkouts_run_at_once(make: Make, ask: Ask) -> None:
    one, two = make("one"), make("two")
    one.ensure(), two.ensure()
    ask(one, "create table only_here ()")
    assert ask(one, "select to_regclass('only_here')") == "only_here"
    assert ask(two, "select to_regclass('only_here')") is None


def test_a_folder_copied_while_its_server_runs_is_a_server_of_its_own(
    make: Make, ask: Ask, tmp_path: Path
) -> None:
    one = make("one")
    one.ensure()
    ask(one, "create table here ()")
    ask(one, "checkpoint", user="postgres")
    subprocess.run(["cp", "-r", tmp_path / "one", tmp_path / "two"], check=True)
    two = make("two")
    two.ensure()
    assert ask(two, "select to_regclass('here')") == "here"
    assert two.status()["pid"] != one.status()["pid"]
    assert ask(one, "select to_regclass('here')") == "here"


def test_a_moved_folder_keeps_its_data(make: Make, ask: Ask, tmp_path: Path) -> None:
    one = make("one")
    one.ensure()
    ask(one, "create table here ()")
    one.stop()
    (tmp_path / "one").rename(tmp_path / "two")
    two = make("two")
    two.ensure()
    assert ask(two, "select to_regclass('here')") == "here"


@pytest.mark.parametrize("zombie", [False, True], ids=["recycled", "zombie"])
def test_a_stale_pid_file_is_no_server(make: Make, ask: Ask, zombie: bool) -> None:
    cluster = make()
    cluster.ensure()
    lines = (cluster.data / "postmaster.pid").read_text().split("\n")
    cluster.stop()
    as_server = cluster.data.stat().st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(["sleep", "60"], user=as_server) as other:
        try:
            if zombie:
                other.send_signal(signal.SIGKILL)
                os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
            for stale in cluster.data / "postmaster.pid", cluster.socket / ".s.PGSQL.5432.lock":
                stale.parent.mkdir(mode=0o700, exist_ok=True)
                os.chown(stale.parent, cluster.data.stat().st_uid, -1)
                stale.write_text("\n".join([str(other.pid), *lines[1:]]))
            cluster.ensure()
            assert ask(cluster, "select 1") == 1
            assert cluster.status()["pid"] != other.pid
        finally:
            other.kill()


def test_somebody_elses_folder_in_the_sockets_place_is_refused(make: Make, tmp_path: Path) -> None:
    cluster = make()
    cluster.socket.symlink_to(tmp_path)  # as root could be led to give any folder away
    try:
        with pytest.raises(EmbeddedError, match=f"{cluster.socket} belongs to somebody else"):
            cluster.ensure()
        assert tmp_path.stat().st_uid == os.geteuid()
    finally:
        cluster.socket.unlink()
    cluster.ensure()
