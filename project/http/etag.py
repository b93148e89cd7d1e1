"""Conditional requests (RFC 9110 section 13): strong tags made from id and version."""

from __future__ import annotations

import re
from typing import Any

from flask import Response, request


def expected(id: int) -> frozenset[int] | None:
    """The versions of item `id` that If-Match names; None when any will do.

    What stands behind the version, where a document depends on more, is not compared: it is no
    change of the item. The comparison itself belongs into the UPDATE: see `db.revise`.
    """
    if "HTTP_IF_MATCH" not in request.environ or (sent := request.if_match).star_tag:
        return None
    ours = (
        re.fullmatch(rf"{id}-([1-9][0-9]{{0,17}})(-[0-9a-z]+)?", name or "")
        for name in sent.as_set()
    )
    return frozenset(int(found[1]) for found in ours if found)


def answer(response: Response, item: Any) -> Response:
    """Add the item's tag; a reader who holds this very version gets 304 and no body."""
    own = item.tag
    response.headers.add("ETag", f'"{own}"')
    reads = "HTTP_IF_NONE_MATCH" in request.environ and request.method in ("GET", "HEAD")
    if reads and request.if_none_match.contains_weak(own):
        response.status_code = 304  # which has no body: werkzeug drops it
    return response
