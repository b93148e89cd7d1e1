"""Users as documents."""

from __future__ import annotations

from project.http.fields import Email, Secret, StrictBoolean, Text
from project.http.schemas import Schema, Stored


class Username(Text):
    """3 to 50 of a-z, 0-9, _ and -, in lower case."""

    def __init__(self, **kwargs: object) -> None:
        allowed = "the letters a-z, digits, _ and -"
        super().__init__(min=3, max=50, pattern="[a-z0-9_-]+", allowed=allowed, **kwargs)

    def clean(self, value: str) -> str:
        return super().clean(value).lower()


class UserIn(Schema):
    """An account to be made."""

    email = Email(required=True, example="ada@example.org")
    username = Username(required=True, example="ada")
    password = Secret(min=8, max=128, required=True, example="correct horse battery")
    full_name = Text(max=255, allow_none=True, example="Ada Lovelace")
    bio = Text(max=2000, allow_none=True, example="Writes programs.")
    is_active = StrictBoolean(example=True)
    is_superuser = StrictBoolean(example=False)


class UserOut(Stored, UserIn):
    """An account as it is answered: never with its password."""

    class Meta:
        exclude = ("password",)
