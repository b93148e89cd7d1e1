"""What the server is, once it runs."""

from __future__ import annotations

import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from config import NAME
from project.embedded import Cluster


def test_the_url_opens_the_applications_own_database(running: Cluster) -> None:
    engine = create_engine(running.url, poolclass=NullPool)
    with engine.connect() as connection:
        row = connection.execute(text("select current_user, current_database()")).one()
    assert tuple(row) == (NAME, NAME)


def test_the_applications_role_is_no_superuser_and_may_create_databases(
    running: Cluster, ask: Callable[..., Any]
) -> None:
    rights = "select array[rolsuper, rolcreatedb, rolcreaterole, rolcanlogin] from pg_roles"
    assert ask(running, f"{rights} where rolname = '{NAME}'") == [False, True, False, True]
    owner = f"select pg_get_userbyid(datdba) from pg_database where datname = '{NAME}'"
    assert ask(running, owner) == NAME


@pytest.mark.parametrize("extension", ["pg_trgm", "unaccent"])
def test_the_role_adds_a_trusted_extension_to_a_database_of_its_own(
    running: Cluster, ask: Callable[..., Any], extension: str
) -> None:
    name = f"with_{extension}"
    ask(running, f"create database {name}")
    ask(running, f"create extension {extension}", dbname=name)
    query = f"select 1 from pg_extension where extname = '{extension}'"
    assert ask(running, query, dbname=name) == 1


def test_the_socket_is_for_its_owner_alone_and_tcp_is_off(
    running: Cluster, ask: Callable[..., Any], processes: Callable[..., list[Any]]
) -> None:
    assert stat.S_IMODE(running.socket.stat().st_mode) == 0o700
    assert stat.S_IMODE((running.socket / ".s.PGSQL.5432").stat().st_mode) == 0o700
    assert ask(running, "show listen_addresses") == ""
    for process in processes(running):
        with suppress(psutil.NoSuchProcess):  # a backend that ended while we looked
            assert process.net_connections("inet") == []


def test_times_are_utc_and_sixty_may_connect(running: Cluster, ask: Callable[..., Any]) -> None:
    assert ask(running, "show timezone") == "UTC"
    assert ask(running, "show max_connections") == "60"


def test_text_is_utf8_and_sorts_by_code_point(running: Cluster, ask: Callable[..., Any]) -> None:
    assert ask(running, "select lower('É') || ' ' || ('Z' < 'a')") == "é true"


def test_ensure_answers_while_the_application_holds_all_its_connections(running: Cluster) -> None:
    with ExitStack() as all_of_them:
        for _ in range(57):
            connection = psycopg2.connect(running.url.replace("+psycopg2", ""))
            all_of_them.enter_context(closing(connection))
        with pytest.raises(psycopg2.OperationalError, match="connection slots"):
            psycopg2.connect(running.url.replace("+psycopg2", ""))
        assert running.ensure() == running.url


def test_the_users_own_postgres_variables_disturb_nobody(
    make: Callable[..., Cluster], user: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = make()
    for name, value in {"PGPORT": "6543", "PGHOST": "db.example", "PGUSER": "me"}.items():
        monkeypatch.setenv(name, value)
    assert user(cluster).says() == cluster.url
    psycopg2.connect(cluster.url.replace("+psycopg2", "")).close()


def test_no_process_disagrees_about_the_url(
    running: Cluster, user: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(running.home.parent)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert Cluster(tmp_path / "link").url == running.url
    assert user(running).says() == running.url


def test_threads_may_ensure_at_once(
    make: Callable[..., Cluster], keepers: Callable[..., list[Any]]
) -> None:
    cluster = make()
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(lambda _: cluster.ensure(), range(8))) == {cluster.url}
    cluster.release()  # one lease, not eight: nobody is left
    assert cluster.status()["in_use"] is False
    assert len(keepers(cluster)) == 1


def test_fsync_and_checksums_are_on_by_default(
    make: Callable[..., Cluster], ask: Callable[..., Any]
) -> None:
    cluster = make(settings=None)
    cluster.ensure()
    for name in "fsync", "data_checksums", "full_page_writes", "synchronous_commit":
        assert ask(cluster, f"show {name}") == "on"


def test_a_cluster_that_is_not_ensured_touches_nothing(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / "never" / "made")
    assert cluster.url.startswith(f"postgresql+psycopg2://{NAME}@/{NAME}?host=/tmp/{NAME}-")
    assert cluster.status() | {"running": False, "pid": None, "in_use": False} == cluster.status()
    assert cluster.stop() is False
    cluster.release()
    assert list(tmp_path.iterdir()) == []
    assert not cluster.socket.exists()
