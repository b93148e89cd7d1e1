"""Files that are sent: multipart/form-data with one part, on disk before any transaction waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from flask import Request, current_app, g
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

from project import errors, origin
from project.db import reading
from project.http import body, guards
from project.http.problems import BadBody, TooLarge, UnsupportedMedia

PART = "file"
MEDIA = "multipart/form-data"
LIMIT = 50 * 1024 * 1024  # bytes of a file
FRAME = 64 * 1024  # bytes of what surrounds it
PIECE = 64 * 1024  # bytes read at once; of a part's head four times that may wait for its end
IN_MEMORY = 1024 * 1024  # bytes; a larger file goes to disk
LONGEST = 100  # characters of a boundary: 70 by RFC 2046 section 5.1.1, of which not all know

TOO_LARGE = TooLarge(f"The file is larger than {LIMIT} bytes.")
NO_FILE = BadBody(f"A body of Content-Type: {MEDIA} is required, with a part named '{PART}'.")
GARBLED = BadBody(f"The body is not {MEDIA}, or ends too early.")
REFUSALS = (
    *(NO_FILE, GARBLED, TOO_LARGE),
    UnsupportedMedia(f"Send the body as Content-Type: {MEDIA}."),
    UnsupportedMedia("Send the body without Content-Encoding."),
)


def documented(media: str, example: str) -> dict[str, Any]:
    """The requestBody of an operation that takes a file of this media type."""
    file = {"type": "string", "format": "binary", "description": f"At most {LIMIT} bytes."}
    schema = {
        "type": "object",
        "properties": {PART: file},
        "required": [PART],
        "additionalProperties": False,
    }
    encoding = {PART: {"contentType": media}}
    shown = {"schema": schema, "encoding": encoding, "example": {PART: example}}
    return {"required": True, "content": {MEDIA: shown}}


def awaited(req: Request) -> bool:
    """Whether the request is one for a file."""
    return "upload" in _told(req)


@contextmanager
def received(req: Request) -> Iterator[None]:
    """Have the file while no transaction waits for it: it is `g.upload` until the end.

    Who may not send one learns that before it is read.
    """
    with reading():
        guard: Callable[[], None] = getattr(guards, _told(req)["guard"])
        guard()
        origin.confirm()
    _judge_head(req)
    with SpooledTemporaryFile(IN_MEMORY) as file:
        g.body = _read(req, file)
        g.upload = file
        yield


def _told(req: Request) -> dict[str, Any]:
    found: dict[str, Any] = getattr(current_app.view_functions[req.endpoint or ""], "_apidoc", {})
    return found


def file() -> IO[bytes]:
    """The file sent, from its beginning."""
    found: IO[bytes] = g.upload
    found.seek(0)
    return found


def _judge_head(req: Request) -> None:
    if "Content-Encoding" in req.headers:
        raise UnsupportedMedia("Send the body without Content-Encoding.")
    if req.mimetype != MEDIA:
        if req.mimetype or req.content_length or "Transfer-Encoding" in req.headers:
            raise UnsupportedMedia(f"Send the body as Content-Type: {MEDIA}.")
        raise BadBody(NO_FILE.sentence)
    if (req.content_length or 0) > LIMIT + FRAME:
        raise TooLarge(TOO_LARGE.sentence)


def _read(req: Request, file: IO[bytes]) -> bytes:
    """Write the one part to the file; its digest tells it from others, whatever the boundary."""
    digest, size, parts = sha256(), 0, 0
    for event in _events(req):
        if isinstance(event, Field | File):
            _expect(event.name, parts)
            parts += 1
        elif isinstance(event, Data):
            size += len(event.data)
            if size > LIMIT:
                raise TooLarge(TOO_LARGE.sentence)
            digest.update(event.data)
            file.write(event.data)
    if not parts:
        raise _wrong(PART, "required", "This field is required.")
    return digest.digest()


def _expect(name: str | None, before: int) -> None:
    """One part of one name, with a file's name or without."""
    if name != PART:
        raise _wrong(name or "", "unknown", "Unknown field.")
    if before:
        raise _wrong(PART, "repeated", "Send it once.")


def _events(req: Request) -> Iterator[Event]:
    """What the body is made of, until its end."""
    pieces = _pieces(req)
    try:
        decoder = MultipartDecoder(_boundary(req), max_form_memory_size=4 * PIECE)
        while not isinstance(event := decoder.next_event(), Epilogue):
            if isinstance(event, NeedData):
                decoder.receive_data(next(pieces, None))
            else:
                yield event
    except (ValueError, RequestEntityTooLarge):  # of its frame: a file's data does not wait
        raise BadBody(GARBLED.sentence) from None


def _boundary(req: Request) -> bytes:
    boundary = req.mimetype_params.get("boundary", "").encode("ascii")
    if not 1 <= len(boundary) <= LONGEST:
        raise ValueError("no boundary, or none that anybody would write")
    return boundary


def _pieces(req: Request) -> Iterator[bytes]:
    """The body; a chunked one tells its length only by being read."""
    size = 0
    while some := body.piece(req, PIECE):
        size += len(some)
        if size > LIMIT + FRAME:
            raise TooLarge(TOO_LARGE.sentence)
        yield some


def _wrong(field: str, code: str, message: str) -> errors.Invalid:
    problem = {"in": "body", "field": field[:100], "code": code, "message": message}
    return errors.Invalid([problem])
