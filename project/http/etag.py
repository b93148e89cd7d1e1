"""Conditional requests (RFC 9110 section 13): strong tags made from id and version."""

from __future__ import annotations

import re
from typing import Any

from flask import Response, request


def tag(item: Any) -> str:
    """The opaque part of an item's ETag: id and version, and what the item itself adds to them."""
    return str(item.tag if hasattr(item, "tag") else f"{item.id}-{item.version}")


def expected(id: int) -> frozenset[int] | None:
    """The versions of item `id` that If-Match names; None when any will do.

    What stands behind the version, where a document depends on more, is not compared: it is no
    change of the item. The comparison itself belongs into the UPDATE: see `db.revise`.
    """
    sent = request.if_match
    if "If-Match" not in request.headers or sent.star_tag:
        return None
    ours = (
        re.fullmatch(rf"{id}-([1-9][0-9]{{0,17}})(-[0-9a-z]+)?", name or "")
        for name in sent.as_set()
    )
    return frozenset(int(found[1]) for found in ours if found)


def answer(response: Response, item: Any) -> Response:
    """Add the item's tag; a reader who holds this very version gets 304 and no body."""
    response.set_etag(tag(item))
    if request.method in ("GET", "HEAD") and request.if_none_match.contains_weak(tag(item)):
        response.status_code = 304  # which has no body: werkzeug drops it
    return response
