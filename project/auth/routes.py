"""/auth: signing in."""

from __future__ import annotations

from typing import Any

from project.auth import service, tokens
from project.auth.schemas import LoginIn, TokenOut
from project.http.blueprint import Blueprint

blp = Blueprint("auth", __name__, description="Signing in.")


@blp.post("/login")
@blp.public
@blp.arguments(LoginIn)
@blp.document(TokenOut)
@blp.refuses(service.wrong_credentials())
def login(values: dict[str, Any]) -> dict[str, Any]:
    """Sign in"""
    return tokens.issue(service.authenticate(**values))
