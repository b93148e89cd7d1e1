"""`flask backup`: one moment of a database as a file that is whole, or is not there."""

from __future__ import annotations

import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy.engine import make_url

from project.backup import archive
from project.db.whole import LOCK
from project.embedded.cluster import find
from tests.backup.terminal import Terminal, programs, schema
from tests.tables import asked

TAKE = "UPDATE samples SET amount = amount - 1 WHERE id = %s"
GIVE = "UPDATE samples SET amount = amount + 1 WHERE id = %s"
MAKE = "INSERT INTO samples (name, price) VALUES (%s, 1)"
EVERYTHING = "SELECT samples::text FROM samples"


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_what_is_restored_is_the_same_row_for_row_and_rule_for_rule(
    source: Terminal, empty: Terminal, tmp_path: Path
) -> None:
    path = tmp_path / "of today"
    said = source.done("backup", path)
    assert said.startswith(f"{path} has 1,001 rows of ")
    assert said.endswith(
        f" at revision {archive.unseal(path).revision}, {path.stat().st_size:,} bytes.\n"
    )
    assert empty.done("restore", path).startswith("The database has 1,001 rows of ")
    assert asked(empty.url, EVERYTHING) == asked(source.url, EVERYTHING)
    assert schema(empty.url) == schema(source.url)


def test_counters_that_would_not_outlive_a_crash_are_begun_anew(
    source: Terminal, kept: Path, empty: Terminal
) -> None:
    empty.done("restore", kept)
    assert source.sql("SELECT count(*) FROM rate_limits") == 1
    assert empty.sql("SELECT count(*) FROM rate_limits") == 0


def test_a_restored_database_goes_on_counting_where_it_was(kept: Path, empty: Terminal) -> None:
    empty.done("restore", kept)
    assert empty.sql("INSERT INTO samples (name, price) VALUES ('New', 1) RETURNING id") == 1001
    assert empty.sql("SELECT reltuples FROM pg_class WHERE relname = 'samples'") == 1000


def test_a_backup_among_writers_is_of_one_moment(
    busy: Terminal, empty: Terminal, tmp_path: Path
) -> None:
    """Each transaction takes from one what it gives to another, so nothing ever comes or goes; and
    makes one that has nothing, so that no two moments have as many rows.
    """
    stop, done = Event(), []

    def move(hand: int) -> None:
        with busy.connected() as connection, connection.cursor() as cursor:
            for turn in range(1_000_000):
                if stop.is_set():
                    return
                one = 1 + (turn * 7 + hand * 250) % 1000
                with connection:  # in the order of ids, so that none waits in a circle
                    ids = sorted((one, 1 + one % 1000))
                    cursor.execute(TAKE if turn % 2 else GIVE, [ids[0]])
                    cursor.execute(GIVE if turn % 2 else TAKE, [ids[1]])
                    cursor.execute(MAKE, [f"Made by {hand}, {turn}"])
                done.append(hand)

    with ThreadPoolExecutor(3) as hands:
        moving = [hands.submit(move, hand) for hand in range(3)]
        while not done:
            stop.wait(0.01)
        before = len(done)
        busy.done("backup", tmp_path / "moved")
        during = len(done) - before
        stop.set()
        assert [each.result() for each in moving] == [None] * 3
    assert during > 0
    empty.done("restore", tmp_path / "moved")
    assert empty.sql("SELECT sum(amount) FROM samples") == 100_000
    made = empty.sql("SELECT count(*) - 1000 FROM samples")
    assert before <= made <= before + during + 3


def test_only_its_owner_may_read_the_file(kept: Path) -> None:
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_pg_restore_reads_it_without_us(kept: Path) -> None:
    written = subprocess.run(
        [find() / "pg_restore", "--file=-", kept], capture_output=True, check=True
    )
    assert b"CREATE TABLE public.samples" in written.stdout
    assert written.stderr == b""


def test_a_file_that_is_there_stays_as_it_is(source: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "there"
    path.write_text("something else")
    assert (
        source.refused("backup", path) == f"{path} is there already, and a backup replaces nothing."
    )
    assert path.read_text() == "something else"
    assert names(tmp_path) == ["there"]


def test_a_file_that_comes_meanwhile_stays_too(
    source: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bin" / "there"
    script = f'echo "something else" > {path}; exec "{find()}/pg_dump" "$@"'
    monkeypatch.setenv(*programs(tmp_path / "bin", find(), pg_dump=script))
    assert "a backup replaces nothing" in source.refused("backup", path)
    assert path.read_text() == "something else\n"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("-", "FILE must be a file: what has left by a pipe cannot be read back."),
        ("nowhere/file", "Cannot write nowhere/file: No such file or directory."),
        ("/proc/file", "Cannot write /proc/file: No such file or directory."),
        ("/dev/null", "/dev/null is there already, and a backup replaces nothing."),
        (f"{'x' * 250}", f"Cannot write {'x' * 250}: File name too long."),
    ],
)
def test_what_cannot_be_a_backup_is_refused(source: Terminal, name: str, said: str) -> None:
    assert source.refused("backup", name) == said


FULL = "could not write to output file: No space left on device"
SILENT = "the server closed the connection"
FAILS: list[tuple[str, str]] = [
    (f'touch "$DRAFT"; echo "pg_dump: error: {FULL}" >&2; exit 1', f"pg_dump has failed: {FULL}."),
    (f'echo "pg_dump: {SILENT}" >&2; kill -9 $$', f"pg_dump has failed: pg_dump: {SILENT}."),
    ("exit 3", "pg_dump has failed: nothing."),
]
VERSION = '[ "$1" = --version ] && exec "{real}/pg_dump" "$@"\n'


@pytest.mark.parametrize(("script", "said"), FAILS)
def test_nothing_is_left_of_a_dump_that_fails(
    source: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    script = VERSION.format(real=find()) + script
    monkeypatch.setenv(*programs(tmp_path / "bin", find(), pg_dump=script))
    (tmp_path / "here").mkdir()
    assert source.refused("backup", tmp_path / "here" / "file") == said
    assert names(tmp_path / "here") == []


def test_a_dump_that_cannot_be_read_back_is_none(
    source: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that it has done it, and the disk has lost the end."""
    script = VERSION.format(real=find()) + f'"{find()}/pg_dump" "$@"; truncate -s 5000 "${{2#*=}}"'
    monkeypatch.setenv(*programs(tmp_path / "bin", find(), pg_dump=script))
    (tmp_path / "here").mkdir()
    assert "pg_restore has failed: " in source.refused("backup", tmp_path / "here" / "file")
    assert names(tmp_path / "here") == []


def test_a_dump_without_some_rows_is_none(
    source: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f'exec "{find()}/pg_dump" "$@" --exclude-table-data=samples'
    monkeypatch.setenv(*programs(tmp_path / "bin", find(), pg_dump=script))
    said = source.refused("backup", tmp_path / "bin" / "file")
    assert said == "The dump has other rows than the database in public.samples."


def secret(url: str) -> str:
    """The address with a password, which a server that trusts us does not ask for."""
    given = make_url(url)
    known = given.set(password=given.password or "the-password")
    return known.render_as_string(hide_password=False)


def test_no_argument_of_a_program_is_the_password(
    source: Terminal, empty: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    tell = f'echo "$0 $@" >> {told}; echo "password: $PGPASSWORD" >> {told}.password'
    scripts = {name: f'{tell}; exec "{find()}/{name}" "$@"' for name in ("pg_dump", "psql")}
    monkeypatch.setenv(*programs(tmp_path / "bin", find(), **scripts))
    with_password = [Terminal(secret(each.url)) for each in (source, empty)]
    with_password[0].done("backup", tmp_path / "file")
    with_password[1].done("restore", tmp_path / "file")
    password = str(make_url(with_password[0].url).password)
    assert password not in told.read_text()
    assert f"password: {password}\n" in Path(f"{told}.password").read_text()


def test_a_server_newer_than_the_programs_is_told(
    source: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = 'echo "pg_dump (PostgreSQL) 9.6.24"'
    monkeypatch.setenv(*programs(tmp_path / "bin", find(), pg_dump=script))
    said = source.refused("backup", tmp_path / "file")
    assert said.startswith("This needs pg_dump, pg_restore and psql of PostgreSQL ")
    assert said.endswith(f"in {tmp_path}/bin are of 9: let PG_BIN be the folder of newer ones.")


def test_a_folder_without_the_programs_is_told(
    source: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    said = source.refused("backup", tmp_path / "file")
    assert said.startswith("There is no pg_dump, pg_restore and psql here: let PG_BIN be ")


def test_a_database_without_the_schema_is_told_what_to_do(empty: Terminal, tmp_path: Path) -> None:
    assert "run flask db upgrade." in empty.refused("backup", tmp_path / "file")
    assert names(tmp_path) == []


def test_a_database_that_is_away_is_told(tmp_path: Path) -> None:
    away = Terminal("postgresql+psycopg2://nobody:the-password@127.0.0.1:1/nothing")
    said = away.refused("backup", tmp_path / "file")
    assert said.startswith("The database is away; try again. (connection to server at")
    assert "the-password" not in said
    assert names(tmp_path) == []


def test_a_backup_waits_for_a_migration(source: Terminal, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as hand, source.connected() as migrating:
        migrating.autocommit = True
        cursor = migrating.cursor()
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        waiting = hand.submit(source.done, "backup", tmp_path / "file")
        with pytest.raises(TimeoutError):
            waiting.result(1)
        assert not (tmp_path / "file").exists()
        cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
        waiting.result(60)
    assert (tmp_path / "file").exists()


def test_two_backups_at_once_do_not_wait_for_each_other(source: Terminal, tmp_path: Path) -> None:
    with source.connected() as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(%s)", [LOCK])
        source.done("backup", tmp_path / "file")
