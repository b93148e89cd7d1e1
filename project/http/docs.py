"""Swagger UI at /docs: local files only, under a Content-Security-Policy that holds."""

from __future__ import annotations

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, abort, render_template_string, send_from_directory

from config import TITLE

OURS = Path(__file__).parent / "docs_page"
THEIRS = Path(flask_swagger_ui.__file__).parent / "dist"
FILES = {
    "start.js": OURS,
    "swagger-ui-bundle.js": THEIRS,
    "swagger-ui.css": THEIRS,
    "favicon-32x32.png": THEIRS,
}
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # Swagger UI draws its arrows so
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)

blp = Blueprint("docs", __name__, url_prefix="/docs")


@blp.get("/")
def page() -> Response:
    """The page itself."""
    return Response(render_template_string((OURS / "docs.html").read_text(), title=TITLE))


@blp.get("/<name>")
def file(name: str) -> Response:
    """One of the page's files, ours or Swagger UI's; the package has more than the page needs."""
    return send_from_directory(FILES[name], name) if name in FILES else abort(404)


@blp.after_request
def policy(response: Response) -> Response:
    """Nothing from another host, nothing inline; the rest as for all answers."""
    response.headers["Content-Security-Policy"] = POLICY
    return response
