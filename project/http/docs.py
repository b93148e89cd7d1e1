"""Swagger UI at /docs: local files only, under a Content-Security-Policy that holds."""

from __future__ import annotations

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, render_template, send_from_directory

FILES = Path(flask_swagger_ui.__file__).parent / "dist"
HERE = Path(__file__).parent / "docs_page"
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)

blp = Blueprint("docs", __name__, url_prefix="/docs", template_folder="docs_page")


@blp.get("/")
def page() -> str:
    """The page itself."""
    return render_template("docs.html")


@blp.get("/<path:name>")
def file(name: str) -> Response:
    """One of the page's files, ours or Swagger UI's."""
    return send_from_directory(HERE if (HERE / name).is_file() else FILES, name)


@blp.after_request
def policy(response: Response) -> Response:
    """Nothing from another host, nothing inline."""
    response.headers["Content-Security-Policy"] = POLICY
    return response
