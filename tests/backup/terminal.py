"""Somebody at a terminal who backs up databases and restores them, and databases to do it with."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from click.testing import Result
from sqlalchemy.engine import make_url

from config import NAME, Config
from project import create_app
from project.backup import archive
from project.backup.archive import Manifest
from project.db import db
from tests.conftest import SECRET, administration, at
from tests.tables import SCHEMA, asked

TABLES = "SELECT schemaname || '.' || relname FROM pg_stat_user_tables"


@dataclass(frozen=True)
class Terminal:
    """Commands of an application on one database; each ends without a connection."""

    url: str

    def run(self, *command: Any, typed: str | None = None) -> Result:
        app = create_app(Config(database_url=self.url, secret_key=SECRET))
        told = app.test_cli_runner().invoke(args=[str(word) for word in command], input=typed)
        with app.app_context():
            db.engine.dispose()
        return told

    def done(self, *command: Any) -> str:
        """What a command says that does what it should."""
        told = self.run(*command)
        assert told.exit_code == 0, told.output
        return told.stdout

    def refused(self, *command: Any, typed: str | None = None) -> str:
        """The one sentence of one that does not."""
        told = self.run(*command, typed=typed)
        assert (told.exit_code, told.stdout) == (1, ""), told.output
        [line] = told.stderr.splitlines()
        return line.removeprefix("Error: ")

    def sql(self, statement: str, *values: Any) -> Any:
        """The first value that a committed statement answers."""
        with self.connected() as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return next(iter(cursor.fetchone() or ()), None) if cursor.description else None

    @contextmanager
    def connected(self) -> Iterator[Any]:
        plain = make_url(self.url).set(drivername="postgresql")
        with closing(psycopg2.connect(plain.render_as_string(hide_password=False))) as connection:
            yield connection

    @property
    def rows(self) -> dict[str, int]:
        """How many rows every table has."""
        names = sorted(name for (name,) in asked(self.url, TABLES))
        return {name: self.sql(f"SELECT count(*) FROM {name}") for name in names}


def schema(url: str) -> list[set[Any]]:
    """Tables, rules, indexes, triggers, functions; but for how casts are spelled, which PostgreSQL
    spells in another way when it has read its own spelling.
    """
    casts = re.compile(r"::(?:text|character varying|numeric)|[()\[\]]")
    return [
        {tuple(casts.sub("", str(cell)) for cell in row) for row in asked(url, question)}
        for question in SCHEMA
    ]


@contextmanager
def database(postgres: str, template: str | None = None) -> Iterator[Terminal]:
    """A database without a table, or a copy of the template, for as long as it is needed."""
    name = f"{NAME}_backup_{os.getpid()}_{secrets.token_hex(4)}"
    like = "" if template is None else f' TEMPLATE "{template}"'
    with administration(postgres) as run:
        run(f'CREATE DATABASE "{name}"{like}')
    try:
        yield Terminal(at(postgres, name))
    finally:
        with administration(postgres) as run:
            run(f'DROP DATABASE "{name}" WITH (FORCE)')


def resealed(path: Path, to: Path, **changes: Any) -> Path:
    """A backup with another manifest, as good as one of ours."""
    whole, manifest = path.read_bytes(), archive.unseal(path)
    told = len(json.dumps(vars(manifest)).encode())
    to.write_bytes(whole[: len(whole) - archive.SIZE - told])
    archive.seal(to, Manifest(**{**vars(manifest), **changes}))
    return to


def programs(folder: Path, real: Path, **scripts: str) -> tuple[str, str]:
    """PG_BIN, and a folder that has shell scripts in the place of some programs."""
    folder.mkdir()
    for name in ("pg_dump", "pg_restore", "psql"):
        if name in scripts:
            (folder / name).write_text(f"#!/bin/sh\n{scripts[name]}\n")
            (folder / name).chmod(0o755)
        else:
            (folder / name).symlink_to(real / name)
    return "PG_BIN", str(folder)
