"""What a request may contain at all: how arguments are read.

It refuses what must not pass before any schema sees it: JSON with two meanings, characters
PostgreSQL cannot store, bodies that are too large, too deep or in another format.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import islice
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import marshmallow as ma
from flask import Request, g
from gunicorn.http.errors import ParseException

from project.errors import Invalid
from project.http.fields import Value
from project.http.fields.text import UNSTORABLE
from project.http.fields.value import NOTHING
from project.http.problems import BadBody, TooLarge, UnsupportedMedia

JSON = "application/json"
LIMIT = 1024 * 1024  # bytes of a JSON body
DEPTH = 32  # levels of nesting
RECENT = 1_000  # query strings whose meaning is remembered


def arguments(req: Request, schema: ma.Schema, location: str) -> dict[str, Any]:
    """What a request says, by the schema of its body or of its query string; raises Invalid."""
    if location == "json":
        return load(schema, _document(req))
    return dict(_asked(schema, req.environ["QUERY_STRING"]))


@lru_cache(RECENT)
def _asked(schema: ma.Schema, text: str) -> Mapping[str, Any]:
    """The same text means the same again; to read it takes longer than to look a row up."""
    return load(schema, _query(text), "query")


def _document(req: Request) -> Any:
    if "HTTP_CONTENT_ENCODING" in req.environ:
        raise UnsupportedMedia("Send the body without Content-Encoding.")
    media = _media(req)
    if media != JSON:
        if media or req.content_length or "Transfer-Encoding" in req.headers:
            raise UnsupportedMedia("Send the body as Content-Type: application/json.")
        raise BadBody("A JSON body is required.")
    return parse(g.body)


def _query(text: str) -> dict[str, str]:
    """The parameters; the server hands out the bytes of the query string as Latin-1 (PEP 3333)."""
    if not text:
        return {}
    try:
        pairs = parse_qsl(text.encode("latin-1").decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise Invalid([_wrong("query", "", "invalid", "Not valid UTF-8.")]) from None
    found = dict(pairs)
    if len(found) < len(pairs):
        names = Counter(name for name, _ in pairs)
        repeated = [name for name, count in names.items() if count > 1]
        raise Invalid([_wrong("query", name, "repeated", "Send it once.") for name in repeated])
    return found


class Loader:
    """Documents whose values are spelled, such as rows of a file: their values, or Invalid.

    plain: for each field a regular expression of what needs no schema to be judged, as it is good.
    """

    def __init__(self, schema: ma.Schema, place: str) -> None:
        self._schema, self._place = schema, place
        self.plain = {name: _plain(schema, field) for name, field in schema.fields.items()}

    def __call__(self, document: Mapping[str, Any]) -> dict[str, Any]:
        return load(self._schema, document, self._place)


def _plain(schema: ma.Schema, field: ma.fields.Field[Any]) -> str:
    """Of a field; nothing is, where rules of another kind are to be heard."""
    if isinstance(field, Value) and not schema._hooks and not field.validators:
        return field.plain()
    return NOTHING


def load(schema: ma.Schema, given: Mapping[str, Any], place: str = "body") -> dict[str, Any]:
    """The values of a document, whichever way it came; raises Invalid."""
    try:
        values: dict[str, Any] = schema.load(given)
    except ma.ValidationError as error:
        raise invalid(error.messages, place) from error
    return values


def invalid(messages: Any, place: str) -> Invalid:
    """marshmallow's nest of messages as one refusal with an entry per field, a hundred at most."""
    found = islice(flatten(messages), 100)
    return Invalid(
        [
            _wrong(place, field[:100], getattr(message, "code", "invalid"), str(message))
            for field, message in found
        ]
    )


def flatten(messages: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each field's dotted path with one of its messages, from marshmallow's nest of both."""
    if isinstance(messages, dict):
        for key, nested in messages.items():
            step = "" if key == "_schema" else str(key)
            yield from flatten(nested, f"{path}.{step}".strip("."))
    else:
        for message in messages:
            yield path, message


def receive(req: Request) -> None:
    """Read a JSON body while no transaction waits for it, and keep it for whoever asks again."""
    if _media(req) == JSON and "HTTP_CONTENT_ENCODING" not in req.environ:
        g.body = read(req)


def _media(req: Request) -> str:
    """The media type of the body, as `req.mimetype`, which reads all of the field for it."""
    sent = req.environ.get("CONTENT_TYPE", "")
    return sent if sent in ("", JSON) else req.mimetype


def read(req: Request) -> bytes:
    """The whole body; a chunked one tells its length only by being read."""
    length = req.content_length
    if (length or 0) > LIMIT:
        raise TooLarge(f"The body is larger than {LIMIT} bytes.")
    body = bytearray()
    while len(body) not in (length, LIMIT + 1) and (some := piece(req, LIMIT + 1 - len(body))):
        body += some
    if len(body) > LIMIT:
        raise TooLarge(f"The body is larger than {LIMIT} bytes.")
    return bytes(body)


def piece(req: Request, size: int) -> bytes:
    """Some of the body; raises BadBody where it breaks off or its chunks are none.

    What the server says of that quotes the body, so nobody shall hear it.
    """
    try:
        return req.stream.read(size)
    except (ParseException, OSError):
        raise BadBody("The body breaks off, or is not chunked as it says.") from None


def parse(raw: bytes) -> Any:
    """JSON as RFC 8259 section 4 would have it to be understood the same by everybody."""
    try:
        text = raw.decode()
        found = json.loads(
            text,
            parse_float=_number,
            parse_constant=_constant,
            object_pairs_hook=_members,
        )
    except UnicodeDecodeError:
        raise BadBody("The body is not valid UTF-8.") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise BadBody(f"The body is not JSON: {error.msg} at {place}.") from None
    except RecursionError:
        raise BadBody(f"The body is nested deeper than {DEPTH} levels.") from None
    except ValueError:
        raise BadBody("The body holds a number that is too long.") from None
    if "\\u" in text or raw.count(b"[") + raw.count(b"{") > DEPTH:
        _inspect(found, 1)
    return found


def _number(literal: str) -> Decimal:
    try:
        return Decimal(literal)
    except InvalidOperation:
        raise BadBody("The body holds a number that is too large.") from None


def _constant(name: str) -> NoReturn:
    raise BadBody(f"The body is not JSON: {name} is not a JSON number.")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        [(name, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise BadBody(f"The body names {json.dumps(name[:100])} twice in one object.")
    return found


def _inspect(value: Any, depth: int) -> None:
    """Refuse what only an escape or a pile of brackets can bring in."""
    if isinstance(value, str):
        if UNSTORABLE.search(value):
            raise BadBody("A string holds a NUL or half a character (a lone surrogate).")
    elif isinstance(value, dict | list):
        if depth > DEPTH:
            raise BadBody(f"The body is nested deeper than {DEPTH} levels.")
        for part in [*value, *value.values()] if isinstance(value, dict) else value:
            _inspect(part, depth + 1)


def _wrong(place: str, field: str, code: str, message: str) -> dict[str, Any]:
    return {"in": place, "field": field, "code": code, "message": message}
