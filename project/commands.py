"""Commands: a refusal is one sentence on standard error and exit code 1; files and their bars."""

from __future__ import annotations

import gzip
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import click
from flask.cli import AppGroup

from project import origin
from project.errors import Invalid, Refusal, Unavailable


class Group(AppGroup):
    """A group of `flask` commands."""

    def invoke(self, ctx: click.Context) -> Any:
        origin.enter()
        with one_sentence():
            return super().invoke(ctx)


@contextmanager
def one_sentence() -> Iterator[None]:
    """Refuse as click does; who sits at a terminal may also read what the driver said."""
    try:
        yield
    except Refusal as refusal:
        said = str(refusal.__cause__).partition("\n")[0]
        known = isinstance(refusal, Unavailable) and refusal.__cause__ is not None
        sentence = f"{refusal.sentence} ({said})" if known else refusal.sentence
        if isinstance(refusal, Invalid):
            wrong = refusal.members["errors"]
            sentence = " ".join(f"{each['field']}: {each['message']}" for each in wrong)
        raise click.ClickException(sentence) from refusal


@contextmanager
def opened(path: str) -> Iterator[tuple[IO[bytes], Callable[[int], None]]]:
    """The file, unpacked if its name ends with .gz, and whom to tell how much of it was read: a
    bar, if somebody is watching.
    """
    try:
        size = 0 if path == "-" else Path(path).stat().st_size
        file = click.open_file(path, "rb")
    except OSError as error:
        raise click.ClickException(f"Cannot read {path}: {error.strerror}.") from error
    bar = click.progressbar(
        length=size,
        hidden=not size or not sys.stderr.isatty(),
        file=sys.stderr,
        update_min_steps=size // 100,
    )
    with file, bar:
        if not path.endswith(".gz"):
            yield file, bar.update
            return
        try:
            with gzip.open(file) as unpacked:
                yield cast("IO[bytes]", unpacked), lambda _: bar.update(file.tell() - bar.pos)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise click.ClickException(f"{path} is damaged: {error}.") from error


def printable(message: str) -> str:
    """One line, whatever the name in it holds: a terminal obeys control characters."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: ascii(found[0])[1:-1], message)
