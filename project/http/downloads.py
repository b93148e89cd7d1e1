"""A Select as a file: CSV or NDJSON, written while it is read and never in memory as a whole."""

from __future__ import annotations

import csv
import json
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import StringIO
from typing import Any

import structlog
from flask import request
from marshmallow import fields
from sqlalchemy import ColumnElement, Select, case, cast, func, select
from sqlalchemy import Text as SqlText

from project import meters
from project.db import Stream
from project.db.stream import CSV, LINES, PATIENCE
from project.http import openapi
from project.http.fields import Choice, StrictBoolean, Text, Value
from project.http.response import Response
from project.http.schemas import Query, Schema

log = structlog.get_logger("project")

PARAMETERS = ("format", "neutralise")
DISPOSITION = {
    "description": "What to call the file.",
    "required": True,
    "schema": {"type": "string"},
    "example": "attachment; filename=items.csv",
}
MEDIA = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
FLAGS = {True: "true", False: "false"}

# How a text begins that a spreadsheet would run (OWASP, CSV Injection), after blanks or not, in
# full width too. The regular expressions are PostgreSQL's; what is a blank must not depend on
# its locale.
BLANK = r"[\t-\r\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
RUN = rf"{BLANK}*[=+\-@\uff1d\uff0b\uff0d\uff20]"
FORMULA = rf"^(?:{RUN}|[\t\r\n])"

# And what would be a cell of its own where another sign separates them.
HIDDEN = rf"(?<=.)([;\t\r\n])(?={RUN})"


def query_schema(query: type[Query]) -> type[Query]:
    """The room's own filters, and in which form the file shall be."""

    class DownloadQuery(query):  # type: ignore[valid-type, misc]  # because the base is an argument
        format = Choice(*MEDIA, load_default="csv", metadata={"description": "The file's format."})
        neutralise = StrictBoolean(
            load_default=False,
            metadata={"description": "Put `'` before text that a spreadsheet would run."},
        )

    DownloadQuery.__name__ = query.__name__
    return DownloadQuery


def documented(out: Schema, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Each format as OpenAPI tells of it, with a file of one row."""
    shown = openapi.example(out, answered=True)
    row = {name: shown[name] for name in names}
    cells = [FLAGS[cell] if isinstance(cell, bool) else cell for cell in row.values()]
    line = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
    files = {"csv": _line(names) + _line(cells), "ndjson": f"{line}\n"}
    headers = {"Content-Disposition": DISPOSITION}
    for format, file in files.items():
        yield {"content_type": MEDIA[format], "example": file, "headers": headers}


def answer(
    found: Select[Any],
    out: Schema,
    names: Sequence[str],
    filename: str,
    *,
    format: str,
    neutralise: bool,
) -> Response:
    """The file of these fields, in the order of ids, as of this moment."""
    response = Response(mimetype=MEDIA[format])
    response.headers.set("Content-Disposition", "attachment", filename=f"{filename}.{format}")
    if request.method == "HEAD":  # how long it would be, nobody knows before
        response.automatically_set_content_length = False
        return response
    rows = _spelled(found, out, names, format, neutralise)
    _hurry(request.environ.get("gunicorn.socket"))
    stream = Stream(rows, CSV if format == "csv" else LINES)
    response.response = _csv(names, stream) if format == "csv" else _ndjson(stream)
    response.call_on_close(_ending(stream))
    return response


def _hurry(line: socket.socket | None) -> None:
    """Let a client that takes nothing for so long be given up: it holds a thread and a snapshot."""
    if line is not None:
        patience = struct.pack("ll", PATIENCE, 0)  # struct timeval
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)


def _ending(stream: Stream) -> Callable[[], None]:
    """Close the stream once the answer is over, for whatever reason, and tell the log."""
    path, began = request.path, time.perf_counter()

    def end() -> None:
        stream.close()
        took = round((time.perf_counter() - began) * 1000, 1)
        meters.DOWNLOADS.labels("whole" if stream.whole else "cut_off").inc()
        log.info("download", path=path, rows=stream.rows, whole=stream.whole, milliseconds=took)

    return end


def _spelled(
    found: Select[Any], out: Schema, names: Sequence[str], format: str, neutralise: bool
) -> Select[Any]:
    """The same rows in the order of ids: their cells, or as a JSON document each."""
    columns = [found.selected_columns[name] for name in names]
    cells = (
        _cell(out.fields[name], column, format, neutralise).label(name)
        for name, column in zip(names, columns, strict=True)
    )
    rows = found.with_only_columns(*cells).order_by(None).order_by(columns[0])
    whole: Any = rows.subquery("row")
    return rows if format == "csv" else select(func.row_to_json(whole.table_valued()))


def _cell(
    field: fields.Field[Any], column: ColumnElement[Any], format: str, neutralise: bool
) -> ColumnElement[Any]:
    """How PostgreSQL writes the values of a field."""
    cell = field.sql(column) if isinstance(field, Value) else column
    if isinstance(field, Text):
        safe = _harmless(cell) if neutralise else cell
        return func.nullif(safe, "") if format == "csv" else safe  # COPY would quote what is empty
    if isinstance(field, StrictBoolean) and format == "csv":
        return cast(cell, SqlText)  # true and false, where COPY would write t and f
    return cell


def _harmless(text: ColumnElement[Any]) -> ColumnElement[Any]:
    quote = case((text.regexp_match(FORMULA), "'"), else_="")
    return quote + func.regexp_replace(text, HIDDEN, r"\1'", "g", type_=SqlText)


def _csv(names: Sequence[str], batches: Iterable[Sequence[bytes]]) -> Iterator[bytes]:
    """As RFC 4180 says, a piece for each batch."""
    yield _line(names).encode()
    for lines in batches:
        yield b"\r\n".join(lines) + b"\r\n"


def _ndjson(batches: Iterable[Sequence[bytes]]) -> Iterator[bytes]:
    """A JSON object a line."""
    for lines in batches:
        yield b"\n".join(lines) + b"\n"


def _line(cells: Iterable[Any]) -> str:
    line = StringIO(newline="")
    csv.writer(line).writerow(cells)
    return line.getvalue()
