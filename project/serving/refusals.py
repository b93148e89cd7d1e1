"""What is answered where no application is asked, or it broke: problem documents here too."""

from __future__ import annotations

import json

from gunicorn.http import errors as http
from ulid import ULID

from project import meters
from project.errors import Bug, Refusal, Unavailable
from project.http import problems, trace
from project.http.security import ALWAYS
from project.serving.places import Crowded

BROKEN = (500, Bug.code, problems.BROKEN)

# None of these sentences quotes what was sent: it may hold a token.
REFUSALS: dict[type[Exception], tuple[int, str, str]] = {
    http.LimitRequestLine: (414, "uri_too_long", "The request line is longer than 8190 bytes."),
    http.LimitRequestHeaders: (431, "header_fields_too_large", "The header fields are too large."),
    http.ExpectationFailed: (417, "expectation_failed", "Only Expect: 100-continue is understood."),
    http.UnsupportedTransferCoding: (501, "not_implemented", "Send chunked, or Content-Length."),
    http.ForbiddenProxyRequest: (403, "forbidden", "You are not a proxy that is known here."),
    Crowded: (503, "busy", "Every request thread is held up; try again."),
    http.InvalidResponseHeader: BROKEN,
    http.InvalidResponseHeaderName: BROKEN,
    http.ParseException: (400, "malformed_request", "This is not a request that RFC 9112 allows."),
    Exception: BROKEN,
}


def refusal(error: BaseException, sent: str = "") -> tuple[int, str, bytes]:
    """Status, request id and the whole answer, after which the connection is closed; counted.

    sent: the request id that came along, which is kept if it is a valid one.
    """
    kind = next(kind for kind in REFUSALS if isinstance(error, kind) or kind is Exception)
    status, code, sentence = REFUSALS[kind]
    meters.refused_outside(code, status)
    request_id = sent if trace.GOOD_ID.fullmatch(sent) else str(ULID())
    problem = problems.document(Refusal(sentence, code=code), request_id, status)
    body = json.dumps(problem).encode()
    lines = [
        f"HTTP/1.1 {status} {problem['title']}",
        "Connection: close",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        *(f"{name}: {value}" for name, value in ALWAYS.items()),
        f"X-Request-Id: {request_id}",
        *([f"Retry-After: {Unavailable.retry_after}"] if status == 503 else []),
    ]
    return status, request_id, "\r\n".join([*lines, "", ""]).encode() + body
