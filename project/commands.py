"""Commands: a refusal is one sentence on standard error and exit code 1."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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
