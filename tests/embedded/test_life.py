"""When the server begins, when it ends, and what it survives."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest

from config import NAME
from project.embedded import Cluster
from project.embedded.keeper import Keeper, held

Make = Callable[..., Cluster]
Begin = Callable[..., Any]
Ask = Callable[..., Any]
Within = Callable[..., float]
Processes = Callable[[Cluster], list[Any]]


def test_nothing_is_left_ten_seconds_after_the_last_user_was_killed(
    make: Make, user: Begin, processes: Processes, within: Within
) -> None:
    cluster = make(grace=5.0)  # what the application has
    first, last = user(cluster), user(cluster)
    assert first.says() == last.says() == cluster.url
    first.end()
    time.sleep(2)
    last.end()
    known = processes(cluster)
    assert len(known) > 5
    assert within(10, lambda: not any(each.is_running() for each in known)) > 4
    assert processes(cluster) == []
    assert not cluster.socket.exists()


def test_the_server_stays_while_one_user_is_left(make: Make, user: Begin) -> None:
    cluster = make(grace=0.4)
    first, last = user(cluster), user(cluster)
    first.says(), last.says()
    first.end()
    pid = cluster.status()["pid"]
    time.sleep(1.2)
    assert cluster.status()["pid"] == pid
    assert cluster.status()["in_use"] is True


def test_a_user_who_comes_while_the_server_ends_finds_it_started_again(
    make: Make, user: Begin, within: Within
) -> None:
    cluster = make(grace=0.0)
    for _ in range(4):
        user(cluster, "cluster.ensure()").wait()
        cluster.ensure()
        time.sleep(0.3)
        assert cluster.status()["running"] is True
        cluster.release()


def test_newcomers_wait_for_a_keeper_that_has_decided_to_end(tmp_path: Path) -> None:
    used_up, still_fresh = (Keeper(str(tmp_path), "", "", "18", at) for at in ("-1", "9"))
    assert still_fresh.used() is True
    assert held(tmp_path / "users.lock") is False
    assert used_up.used() is False
    assert held(tmp_path / "users.lock") is True
    assert used_up.users
    used_up.users.close()


def test_several_processes_on_an_empty_folder_make_one_cluster(
    make: Make, user: Begin, keepers: Processes
) -> None:
    cluster = make()
    assert {each.says() for each in [user(cluster) for _ in range(5)]} == {cluster.url}
    option = f"--unix_socket_directories={cluster.socket}"
    every = psutil.process_iter(["cmdline"])  # a zombie has none
    servers = [each for each in every if option in (each.info["cmdline"] or ())]
    assert (len(servers), len(keepers(cluster))) == (1, 1)
    assert (cluster.data / "PG_VERSION").exists()


def test_a_server_killed_under_load_is_back_within_seconds_with_every_acknowledged_write(
    make: Make, ask: Ask, crash: Callable[..., int], within: Within
) -> None:
    cluster = make(settings={})
    cluster.ensure()
    ask(cluster, "create table written (worker int, number int)")
    acknowledged: list[tuple[int, int]] = []
    enough = threading.Event()

    def write(worker: int) -> None:
        with closing(psycopg2.connect(cluster.url.replace("+psycopg2", ""))) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            for number in range(1_000_000):
                try:
                    cursor.execute("insert into written values (%s, %s)", [worker, number])
                except psycopg2.OperationalError:
                    return
                acknowledged.append((worker, number))
                if len(acknowledged) > 200:
                    enough.set()

    writers = [threading.Thread(target=write, args=[worker]) for worker in range(4)]
    for each in writers:
        each.start()
    assert enough.wait(10)
    killed = crash(cluster)
    for each in writers:
        each.join()
    began = time.monotonic()
    cluster.ensure()
    assert time.monotonic() - began < 5
    assert cluster.status()["pid"] != killed
    with closing(psycopg2.connect(cluster.url.replace("+psycopg2", ""))) as connection:
        cursor = connection.cursor()
        cursor.execute("select worker, number from written")
        assert set(acknowledged) <= set(cursor.fetchall())


def test_a_crashed_server_comes_back_without_being_asked(
    make: Make, crash: Callable[..., int], within: Within
) -> None:
    cluster = make()
    cluster.ensure()
    for _ in range(3):
        killed = crash(cluster)
        within(5, lambda killed=killed: cluster.status()["pid"] not in (killed, None))


def test_a_server_whose_keeper_was_killed_is_adopted(
    make: Make,
    keepers: Processes,
    processes: Processes,
    crash: Callable[..., int],
    within: Within,
) -> None:
    cluster = make()
    cluster.ensure()
    pid, keeper = cluster.status()["pid"], keepers(cluster)[0]
    keeper.kill()
    within(5, lambda: not held(cluster.home / "keeper.lock"))
    cluster.ensure()
    assert cluster.status()["pid"] == pid
    assert keepers(cluster)[0].pid != keeper.pid
    crash(cluster)  # the new keeper revives it
    cluster.ensure()
    assert cluster.status()["pid"] != pid
    keepers(cluster)[0].kill()
    within(5, lambda: not held(cluster.home / "keeper.lock"))
    cluster.ensure()
    cluster.release()  # and ends it, too, though it is not its child
    within(8, lambda: processes(cluster) == [])


def test_stop_ends_the_server_under_its_users_and_ensure_starts_it_again(
    make: Make, user: Begin, processes: Processes, within: Within
) -> None:
    cluster = make()
    assert user(cluster).says() == cluster.url
    cluster.ensure()
    assert cluster.stop() is True
    within(1, lambda: processes(cluster) == [])
    assert cluster.stop() is False
    time.sleep(0.5)
    assert cluster.status()["running"] is False
    cluster.ensure()
    assert cluster.status()["running"] is True


def test_stop_ends_a_server_that_lost_its_keeper(
    make: Make, keepers: Processes, processes: Processes, within: Within
) -> None:
    cluster = make()
    cluster.ensure()
    keeper = keepers(cluster)[0]
    keeper.kill()
    within(5, lambda: not held(cluster.home / "keeper.lock"))
    assert cluster.stop() is True
    within(1, lambda: processes(cluster) == [])
    assert not cluster.socket.exists()


def test_a_server_whose_folder_is_deleted_ends_and_is_made_anew(
    make: Make, processes: Processes, within: Within
) -> None:
    cluster = make()
    cluster.ensure()
    while cluster.home.exists():  # the server writes all the while
        shutil.rmtree(cluster.home, ignore_errors=True)
    within(8, lambda: processes(cluster) == [])
    assert not cluster.socket.exists()
    cluster.release()
    assert cluster.ensure() == cluster.url


def test_a_forked_child_is_a_user_in_its_own_right(make: Make, user: Begin, within: Within) -> None:
    cluster = make(grace=0.4)
    parent = user(
        cluster,
        "cluster.ensure(); child = os.fork()\n"
        "if child: print(child, flush=True); time.sleep(60)\n"
        "time.sleep(1.5); print(cluster.ensure(), flush=True); time.sleep(60)",
    )
    child = int(parent.says())
    parent.kill()
    pid = cluster.status()["pid"]
    assert parent.says() == cluster.url
    assert cluster.status()["pid"] == pid
    os.kill(child, signal.SIGKILL)
    within(8, lambda: cluster.status()["running"] is False)


def test_ctrl_c_in_the_users_terminal_reaches_neither_keeper_nor_server(
    make: Make, user: Begin, keepers: Processes
) -> None:
    cluster = make()
    process = user(cluster)
    process.says()
    pid, keeper = cluster.status()["pid"], keepers(cluster)[0]
    assert os.getsid(keeper.pid) != os.getsid(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    process.wait()
    for polite in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        keeper.send_signal(polite)
    assert cluster.ensure() == cluster.url
    assert (cluster.status()["pid"], keepers(cluster)[0].pid) == (pid, keeper.pid)


def test_the_keeper_needs_neither_the_users_folder_nor_its_python_path(
    make: Make, user: Begin, tmp_path: Path, keepers: Processes
) -> None:
    cluster, elsewhere = make(), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "shutil.py").write_text("raise SystemExit('not this one')")
    process = user(
        cluster,
        f"os.chdir({str(elsewhere)!r}); os.environ['PYTHONPATH'] = os.getcwd()\n"
        "print(cluster.ensure(), flush=True); sys.stdin.read()",
    )
    assert process.says() == cluster.url
    assert keepers(cluster)[0].cwd() == "/"
    assert keepers(cluster)[0].memory_info().rss < 25_000_000


def test_a_server_that_dies_while_its_database_is_made_is_waited_for(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, connect = make(), psycopg2.connect
    cluster.ensure()

    def doomed(address: str) -> Any:
        monkeypatch.setattr(psycopg2, "connect", connect)
        connection = connect(address)
        os.kill(connection.info.backend_pid, signal.SIGKILL)  # and so all the server restarts
        return connection

    monkeypatch.setattr(psycopg2, "connect", doomed)
    assert cluster.ensure() == cluster.url
    assert psycopg2.connect is connect


def test_a_missing_database_is_made_again(make: Make, ask: Ask) -> None:
    cluster = make()
    cluster.ensure()
    ask(cluster, f'drop database "{NAME}"', dbname="postgres", user="postgres")
    ask(cluster, f'drop role "{NAME}"', dbname="postgres", user="postgres")
    again = make()
    again.ensure()
    assert ask(again, "select current_database()") == NAME


def test_an_initdb_that_was_interrupted_is_begun_again(make: Make) -> None:
    cluster = make()
    (cluster.home / "data.unfinished").mkdir(parents=True)
    (cluster.home / "data.unfinished" / "PG_VERSION").write_text("18\n")
    cluster.ensure()
    assert not (cluster.home / "data.unfinished").exists()
