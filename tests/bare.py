"""What is left of the API when everything is taken away that can be: the limit for `make bench`.

It says to PostgreSQL, word for word, what the application was overheard to say for the same
request, and passes the documents through: no routing, no schema, no token, no ETag, no problem
documents, no log. BARE_SPOKEN is the file of what was overheard, which `tests/bench.py` writes.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import extensions

from project.db.connections import PASSED
from project.http.pages import BREAK

SPOKEN: dict[str, Any] = json.loads(Path(os.environ["BARE_SPOKEN"]).read_text())
NUMBER = re.compile(r"-?\d+")

Environ = dict[str, Any]

local = threading.local()
totals: dict[str, tuple[int, int]] = {}  # by statement: the version it holds for, and the total


def app(
    environ: Environ, start_response: Callable[[str, list[tuple[str, str]]], Any]
) -> Iterable[bytes]:
    """Requests of a kind differ in nothing but numbers, so what is left of one is its kind."""
    asked = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{environ['QUERY_STRING']}"
    if length := int(environ.get("CONTENT_LENGTH") or 0):
        asked += environ["wsgi.input"].read(length).decode()
    kind = SPOKEN["kinds"].get(NUMBER.sub("#", asked))
    if kind is None:
        start_response("404 Not Found", [("Content-Length", "0")])
        return []
    numbers = NUMBER.findall(asked)
    document = answer(kind, {name: numbers[place] for name, place in kind["places"].items()})
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(document)))]
    start_response("200 OK", headers)
    return [document]


def answer(kind: dict[str, Any], values: dict[str, str]) -> bytes:
    """The document that PostgreSQL wrote, in a page's frame where it is one of several."""
    cursor, planned = connected()
    for plan in kind["plans"]:
        if plan not in planned:
            cursor.execute(plan)
            planned.add(plan)
    first, *others = [statement % values for statement in kind["statements"]]
    cursor.execute(first)
    row = cursor.fetchone()
    for statement in others:  # COMMIT
        cursor.execute(statement)
    if (limit := kind["limit"]) is None:
        return bytes(row[-2])
    rows, items, told, *_ = row
    items, total = items or b"", told if rows > limit else rows
    if rows > limit:
        items = items[: items.rindex(BREAK)]
        if kind["count"] is not None:
            total = counted(cursor, kind["count"] % values, told)
    return b'{"items":[%b],"total":%b}' % (items, json.dumps(total).encode())


def counted(cursor: Any, statement: str, version: int) -> int:
    """The total, counted anew only where the version that the page told is another."""
    known, total = totals.get(statement, (None, 0))
    if known != version:
        cursor.execute(statement)
        total, version = cursor.fetchone()
        totals[statement] = version, total
    return total


def connected() -> tuple[Any, set[str]]:
    """The thread's own cursor, and the plans that the server keeps for it."""
    if not hasattr(local, "cursor"):
        connection = psycopg2.connect(SPOKEN["dsn"], options=SPOKEN["options"])
        connection.autocommit = True
        extensions.register_type(PASSED, connection)
        local.cursor, local.planned = connection.cursor(), set[str]()
    return local.cursor, local.planned
