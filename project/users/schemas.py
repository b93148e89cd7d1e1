"""Users as documents."""

from __future__ import annotations

from typing import Any

from project.http.fields import Email, Ids, Int, Secret, StrictBoolean, Text, stored_address
from project.http.schemas import Patch, Query, Schema, Stored
from project.users import passwords


class Username(Text):
    """3 to 50 of a-z, 0-9, _ and -, in lower case."""

    def __init__(self, **kwargs: Any) -> None:
        allowed = "the letters a-z, digits, _ and -"
        super().__init__(min=3, max=50, pattern="[a-z0-9_-]+", allowed=allowed, **kwargs)

    def clean(self, value: str) -> str:
        return super().clean(value).lower()

    def limits(self) -> dict[str, Any]:
        name = "[A-Za-z0-9_-]{3,50}"
        return {"pattern": rf"^{name}$" if self.dump_only else rf"^\s*{name}\s*$"}


class Login(Text):
    """A user name or an e-mail address, in any spelling of the one that is stored."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min=1, max=255, required=True, example="admin", **kwargs)

    def clean(self, value: str) -> str:
        text = super().clean(value).lower()
        return stored_address(text) or text  # not an address: a user name, or what nobody has


class Password(Secret):
    """A new password: 8 to 128 characters, and not one that everybody tries first."""

    default_error_messages = {"too_common": "Must not be one of the most common passwords."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min=8, max=128, required=True, example="correct horse battery", **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        password = super()._deserialize(value, attr, data, **kwargs)
        if passwords.is_common(password):
            raise self.make_error("too_common")
        return password


class LoginName(Schema):
    """Whom somebody means."""

    name = Login()


class AccountIn(Schema):
    """An account that somebody makes for oneself."""

    email = Email(required=True, example="ada@example.org")
    username = Username(required=True, example="ada")
    password = Password()
    full_name = Text(max=255, allow_none=True, example="Ada Lovelace")
    bio = Text(max=2000, allow_none=True, example="Writes programs.")


class UserIn(AccountIn):
    """An account to be made."""

    is_active = StrictBoolean(example=True)
    is_superuser = StrictBoolean(example=False)


class UserPatch(Patch, UserIn):
    """The fields to change; a new password ends every session of the user."""


class MePatch(Patch, AccountIn):
    """The fields of one's own account to change."""

    class Meta:
        exclude = ("password",)


class UserOut(Stored, UserIn):
    """An account as it is answered: never with its password."""

    class Meta:
        exclude = ("password",)


class PasswordIn(Schema):
    """A new password, and the current one as proof that it is you."""

    current_password = Secret(min=1, max=128, required=True, example="correct horse battery")
    password = Password()


class CountQuery(Query):
    """Which users."""

    is_active = StrictBoolean(metadata={"description": "true: active ones; false: the others."})


class UserQuery(CountQuery):
    """Which users."""

    q = Text(
        min=1,
        max=255,
        metadata={"description": "Part of the user name, e-mail or full name, in any case."},
    )


class CountOut(Schema):
    """How many there are."""

    count = Int(required=True, dump_only=True, example=42)


class StatusIn(Schema):
    """Accounts to activate or to deactivate."""

    ids = Ids(most=100, required=True, example=[2, 3])
    is_active = StrictBoolean(required=True, example=False)


class StatusOut(Schema):
    """How many of the accounts have the status now, and which are not there."""

    updated = Int(required=True, dump_only=True, example=1)
    not_found = Ids(most=100, required=True, dump_only=True, example=[3])
