"""A Select as a file: CSV or NDJSON, written while it is read and never in memory as a whole."""

from __future__ import annotations

import csv
import json
import re
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import StringIO
from typing import Any

import structlog
from flask import request
from marshmallow import fields
from sqlalchemy import Select

from project.db import Stream
from project.db.stream import PATIENCE
from project.http import openapi
from project.http.fields import Choice, StrictBoolean, Text
from project.http.response import Response
from project.http.schemas import Query, Schema

log = structlog.get_logger("project")

PARAMETERS = ("format", "neutralise")
MEDIA = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
FLAGS = {True: "true", False: "false"}

# How a text begins that a spreadsheet would run (OWASP, CSV Injection), after blanks or not, in
# full width too.
RUN = r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]"
FORMULA = re.compile(rf"{RUN}|[\t\r\n]")

# And what would be a cell of its own where another sign separates them.
HIDDEN = re.compile(rf"(?<!\A)([;\t\r\n])(?={RUN})")

Spelling = Callable[[Any], Any] | None
Rows = Iterable[Sequence[Any]]


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
    headers = {"Content-Disposition": "ContentDisposition"}
    for format, write in WRITERS.items():
        row = [shown[name] for name in names]
        if format == "csv":
            row = [FLAGS[cell] if isinstance(cell, bool) else cell for cell in row]
        file = b"".join(write(names, [[row]])).decode()
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
    columns = [found.selected_columns[name] for name in names]
    _hurry(request.environ.get("gunicorn.socket"))
    stream = Stream(found.with_only_columns(*columns).order_by(None).order_by(columns[0]))
    spellings = [_spelling(out.fields[name], format, neutralise) for name in names]
    rows = ([_spelled(row, spellings) for row in batch] for batch in stream)
    response.response = WRITERS[format](names, rows)
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
        log.info("download", path=path, rows=stream.rows, whole=stream.whole, milliseconds=took)

    return end


def _csv(names: Sequence[str], batches: Iterable[Rows]) -> Iterator[bytes]:
    """As RFC 4180 says, a piece for each batch."""
    piece = StringIO(newline="")
    writer = csv.writer(piece)
    writer.writerow(names)
    yield _taken(piece)
    for rows in batches:
        writer.writerows(rows)
        yield _taken(piece)


def _ndjson(names: Sequence[str], batches: Iterable[Rows]) -> Iterator[bytes]:
    """A JSON object a line."""
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    for rows in batches:
        documents = (dict(zip(names, row, strict=True)) for row in rows)
        yield "".join(f"{encode(document)}\n" for document in documents).encode()


WRITERS = {"csv": _csv, "ndjson": _ndjson}


def _taken(piece: StringIO) -> bytes:
    """What was written, which makes room."""
    text = piece.getvalue()
    piece.seek(0)
    piece.truncate()
    return text.encode()


def _spelling(field: fields.Field[Any], format: str, neutralise: bool) -> Spelling:
    """How a field's values are written; None where they are written as they come."""
    if isinstance(field, Text):
        return _harmless if neutralise else None
    if isinstance(field, StrictBoolean):
        return FLAGS.get if format == "csv" else None
    if type(field)._serialize is fields.Field._serialize:
        return None
    return lambda value: field._serialize(value, None, None)


def _spelled(row: Sequence[Any], spellings: Sequence[Spelling]) -> list[Any]:
    return [spell(cell) if spell else cell for spell, cell in zip(spellings, row, strict=True)]


def _harmless(text: str | None) -> str | None:
    if not text:
        return text
    whole = HIDDEN.sub(r"\1'", text)
    return f"'{whole}" if FORMULA.match(text) else whole
