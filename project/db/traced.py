"""Statements as spans of what they are asked for; only where OpenTelemetry is on."""

from __future__ import annotations

import re
from typing import Any

from psycopg2 import extensions

from project import telemetry

# A value in the text of a statement: what is quoted, and numbers.
VALUE = re.compile(r"'(?:[^']|'')*'|\b\d[\w.]*")


def prepare(connection: Any, _: object) -> None:
    """From here on what is asked on this connection is told."""
    connection.cursor_factory = Cursor


class Cursor(extensions.cursor):
    """The driver's, with a span for each statement inside a request or a job."""

    def execute(self, query: Any, vars: Any = None) -> None:
        if not telemetry.inside():
            return super().execute(query, vars)
        with telemetry.span(*self._told(query)):
            return super().execute(query, vars)

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        if not telemetry.inside():
            return super().copy_expert(sql, file, size)
        with telemetry.span(*self._told(sql)):
            return super().copy_expert(sql, file, size)

    def _told(self, query: Any) -> tuple[str, telemetry.Kind, dict[str, str | int]]:
        """The span's name, its kind, and the text: a prepared one's own, and never a value."""
        said = query.decode() if isinstance(query, bytes) else str(query)
        name = said.removeprefix("BEGIN; ").removeprefix("EXECUTE ").partition("(")[0]
        plans: dict[str, str] = getattr(self.connection, "plans", {})
        text = VALUE.sub("?", plans.get(name, said)).strip()
        verb = text.partition(" ")[0].upper().rstrip(";")
        return verb, "CLIENT", {"db.system.name": "postgresql", "db.query.text": text}
