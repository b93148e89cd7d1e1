"""Commands: a refusal is one sentence on standard error and exit code 1."""

from __future__ import annotations

from typing import Any

import click
from flask.cli import AppGroup

from project.errors import Refusal


class Group(AppGroup):
    """A group of `flask` commands."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Refusal as refusal:
            raise click.ClickException(refusal.sentence) from refusal
