"""What signing in sends and gets."""

from __future__ import annotations

from project.http.fields import Email, Int, Secret, Text
from project.http.schemas import Schema
from project.users.schemas import Login, Password

TOKEN = "kPb1vGvUuJ0T7yqH2mE4c8sXo9dLrWfZ3aNiQtYhKzA"  # an example # nosec B105


class LoginIn(Schema):
    """Credentials: `login` is the user name or the e-mail address."""

    login = Login()
    password = Secret(min=1, max=128, required=True, example="correct horse battery")


class RefreshIn(Schema):
    """The refresh token that came with the last access token; it counts once."""

    refresh_token = Secret(min=1, max=4096, required=True, example=TOKEN)


class TokenOut(Schema):
    """An access token, to be sent as `Authorization: Bearer …` for `expires_in` seconds, and the
    refresh token that gets the next pair.
    """

    access_token = Text(max=4000, required=True, dump_only=True, example="eyJhbGciOi…")
    token_type = Text(max=20, required=True, dump_only=True, example="Bearer")
    expires_in = Int(required=True, dump_only=True, example=900)
    refresh_token = Text(max=255, required=True, dump_only=True, example=TOKEN)


class ForgotIn(Schema):
    """Whose password is lost."""

    email = Email(required=True, example="ada@example.org")


class ResetIn(Schema):
    """The token that was mailed, and a new password."""

    token = Secret(min=1, max=4096, required=True, example=TOKEN)
    password = Password()
