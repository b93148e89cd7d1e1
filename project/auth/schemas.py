"""What signing in sends and gets."""

from __future__ import annotations

from project.http.fields import Int, Secret, Text
from project.http.schemas import Schema


class LoginIn(Schema):
    """Credentials: `login` is the user name or the e-mail address."""

    login = Text(min=1, max=255, required=True, example="admin")
    password = Secret(min=1, max=128, required=True, example="correct horse battery")


class TokenOut(Schema):
    """An access token, to be sent as `Authorization: Bearer …` for `expires_in` seconds."""

    access_token = Text(max=4000, required=True, dump_only=True, example="eyJhbGciOi…")
    token_type = Text(max=20, required=True, dump_only=True, example="Bearer")
    expires_in = Int(required=True, dump_only=True, example=900)
