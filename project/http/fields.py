"""The fields documents are made of: each refuses what its column could not keep, and describes
itself in the words of OpenAPI.

In JSON a number is a number; in a query string or a CSV cell it is spelled in digits. A schema
says which by `spelled`.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from email_validator import EmailNotValidError, validate_email
from marshmallow import ValidationError, fields

INT4 = 2**31 - 1
NFC_SHRINKS = 4  # a letter and three marks can become one character, but not more
PENNY = Decimal("0.01")
MOST = Decimal("99999999.99")


class Message(str):
    """A sentence for a person that remembers its code for programs."""

    code: str

    def __new__(cls, sentence: str, code: str) -> Message:
        message = super().__new__(cls, sentence)
        message.code = code
        return message

    def __reduce__(self) -> tuple[Any, ...]:
        return Message, (str(self), self.code)  # flask-smorest copies schemas


class Value(fields.Field[Any]):
    """A field whose refusals carry a code, and which knows its own JSON Schema.

    example: a value as a document would show it.
    """

    default_error_messages = {
        "required": "This field is required.",
        "null": "Must not be null.",
    }
    json_type = "string"

    def __init__(self, *, example: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.example = example

    def make_error(self, key: str, **values: Any) -> ValidationError:
        return ValidationError([Message(str(self.error_messages[key]).format(**values), key)])

    @property
    def spelled(self) -> bool:
        """Values arrive as text: in a query string, in a CSV file."""
        return bool(getattr(self.root, "spelled", False))

    def describe(self) -> dict[str, Any]:
        """This field in JSON Schema, as OpenAPI 3.1 uses it."""
        described = {"type": self.json_type, **self.limits()}
        if self.allow_none:
            described["type"] = [self.json_type, "null"]
        if self.example is not None:
            described["examples"] = [self.example]
        return described

    def limits(self) -> dict[str, Any]:
        """What JSON Schema can say of the values allowed."""
        return {}


class Text(Value):
    """A string PostgreSQL can store, trimmed and NFC-normalised before it is measured."""

    default_error_messages = {
        "invalid": "Must be a string.",
        "blank": "Must not be blank.",
        "too_short": "Must be at least {min} characters long.",
        "too_long": "Must be at most {max} characters long.",
        "characters": "Must not contain a NUL or half a character.",
        "pattern": "Must consist of {allowed}.",
    }

    def __init__(
        self, *, min: int = 0, max: int, pattern: str = "", allowed: str = "", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.min, self.max, self.pattern, self.allowed = min, max, pattern, allowed

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        text = self.clean(value)
        if "\x00" in text or (not text.isascii() and re.search("[\ud800-\udfff]", text)):
            raise self.make_error("characters")
        if self.min and not text:
            raise self.make_error("blank")
        if len(text) < self.min:
            raise self.make_error("too_short", min=self.min)
        if len(text) > self.max:
            raise self.make_error("too_long", max=self.max)
        if self.pattern and not re.fullmatch(self.pattern, text):
            raise self.make_error("pattern", allowed=self.allowed)
        return text

    def clean(self, value: str) -> str:
        """The text as it is stored."""
        value = value.strip()
        if len(value) > NFC_SHRINKS * self.max:  # normalising takes time in the square of it
            raise self.make_error("too_long", max=self.max)
        return unicodedata.normalize("NFC", value).strip()

    def limits(self) -> dict[str, Any]:
        if self.dump_only:
            return {}
        least = {"minLength": self.min} if self.min else {}
        visible = r"[^\s\x00][^\x00]*" if self.min else ""
        seen = self.pattern or rf"[^\x00]*{visible}"
        return {"maxLength": self.max, **least, "pattern": f"^{seen}$"}


class Secret(Text):
    """A password: its exact characters, never trimmed, never answered."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs, load_only=True)

    def clean(self, value: str) -> str:
        return value

    def limits(self) -> dict[str, Any]:
        length = {"maxLength": self.max, "minLength": self.min}
        return {**length, "format": "password", "pattern": r"^[^\x00]*$"}


class Email(Text):
    """A deliverable-looking address (RFC 5322, RFC 6531), in lower case."""

    default_error_messages = {"invalid_email": "Must be a valid e-mail address."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min=3, max=255, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        found = super()._deserialize(value, attr, data, **kwargs)
        try:
            return validate_email(found, check_deliverability=False).normalized.lower()
        except EmailNotValidError:
            raise self.make_error("invalid_email") from None

    def limits(self) -> dict[str, Any]:
        return {"format": "email"} if self.dump_only else {"format": "email", "maxLength": self.max}


class Int(Value):
    """A whole number: a JSON integer, or plain digits where values are spelled."""

    default_error_messages = {
        "invalid": "Must be a whole number.",
        "out_of_range": "Must be between {min} and {max}.",
        "zero": "Must not be zero.",
    }
    json_type = "integer"

    def __init__(self, *, min: int = 0, max: int = INT4, zero: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.min, self.max, self.zero = min, max, zero

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        number = self._number(value)
        if not self.min <= number <= self.max:
            raise self.make_error("out_of_range", min=self.min, max=self.max)
        if number == 0 and not self.zero:
            raise self.make_error("zero")
        return number

    def _number(self, value: Any) -> int:
        if self.spelled and isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,20}", value):
            return int(value)
        if isinstance(value, Decimal) and abs(value.adjusted()) < 20 and value == int(value):
            return int(value)  # to JSON Schema 5.0 is the integer 5
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise self.make_error("invalid")

    def limits(self) -> dict[str, Any]:
        if self.dump_only:
            return {"format": "int64"}
        nonzero = {} if self.zero else {"not": {"const": 0}}
        return {"minimum": self.min, "maximum": self.max, **nonzero}


class StrictBoolean(Value):
    """true or false, not "yes" and not 1."""

    default_error_messages = {"invalid": "Must be true or false."}
    json_type = "boolean"

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if self.spelled and value in ("true", "false"):
            return bool(value == "true")
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class Money(Value):
    """An amount of at most two decimals, as string or number; answered as a string with two."""

    default_error_messages = {
        "invalid": 'Must be an amount such as "29.90".',
        "decimals": "Must have at most two decimals.",
        "out_of_range": "Must be between {min} and {max}.",
    }

    def __init__(self, *, min: Decimal = PENNY, max: Decimal = MOST, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.min, self.max = min, max

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else f"{value:.2f}"

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise self.make_error("invalid")
        if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,40}(\.[0-9]{1,40})?", value):
            raise self.make_error("invalid")
        amount = Decimal(value)
        if not self.min <= amount <= self.max:
            raise self.make_error("out_of_range", min=self.min, max=self.max)
        if amount != round(amount, 2):
            raise self.make_error("decimals")
        return round(amount, 2)

    def describe(self) -> dict[str, Any]:
        described = super().describe()
        if self.dump_only or self.spelled:
            return described
        number = {"type": "number", "minimum": float(self.min), "maximum": float(self.max)}
        string = {"type": "string", "pattern": described.pop("pattern")}
        described.pop("type")
        null = [{"type": "null"}] if self.allow_none else []
        return {"anyOf": [string, {**number, "multipleOf": 0.01}, *null], **described}

    def limits(self) -> dict[str, Any]:
        if self.dump_only:
            return {"pattern": r"^[0-9]+\.[0-9]{2}$"}
        nonzero = r"(?!0+(\.0+)?$)" if self.min > 0 else ""
        return {"pattern": rf"^{nonzero}0{{0,32}}[0-9]{{1,8}}(\.[0-9]{{1,2}}0{{0,38}})?$"}


class Timestamp(Value):
    """An instant: ISO 8601 (RFC 3339) in UTC, with microseconds and Z."""

    default_error_messages = {
        "invalid": "Must be an instant such as 2026-11-22T08:51:36.773621Z.",
    }

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else spell(value)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> datetime:
        try:
            if not isinstance(value, str) or len(value) > 40 or not value.isascii():
                raise ValueError("no instant is spelled like this")
            found = datetime.fromisoformat(value)
            if found.tzinfo is None:
                raise ValueError("an instant needs its offset from UTC")
            return found.astimezone(UTC)
        except (ValueError, OverflowError):
            raise self.make_error("invalid") from None

    def limits(self) -> dict[str, Any]:
        return {"format": "date-time"}


def spell(instant: datetime) -> str:
    """An instant as every document writes it."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
