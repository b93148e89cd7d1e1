"""Strings: text, passwords, e-mail and web addresses, UUIDs."""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby
from typing import Any
from uuid import UUID

from email_validator import EmailNotValidError, validate_email

from project.http.fields.value import NOTHING, Value

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # NUL and lone surrogates
NFC_SHRINKS = 4  # a letter and three marks can become one character, but not more
MARKS = 30  # in a row (UAX 15 section 13): normalising takes time in the square of their number

URL = r"https?://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?([/?#][!-~]*)?"
UUID_SPELLED = "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"

# Letters, signs and ideographs of which no two become another when normalised, and that are no
# marks: most of what is written in Latin, Cyrillic, Chinese and Japanese.
STABLE = (
    "\x01-\u02ff\u0400-\u0482\u048a-\u052f\u2010-\u2027\u20a0-\u20bf\u2100-\u2125"
    "\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff"
)


class Text(Value):
    """A string PostgreSQL can store, trimmed and NFC-normalised before it is measured."""

    default_error_messages = {
        "invalid": "Must be a string.",
        "blank": "Must not be blank.",
        "too_short": "Must be at least {min} characters long.",
        "too_long": "Must be at most {max} characters long.",
        "characters": "Must not contain a NUL or half a character.",
        "marks": "Must not pile more than {most} marks upon one letter.",
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
        if UNSTORABLE.search(text):
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
        if value.isascii():
            return value
        if len(value) > NFC_SHRINKS * self.max:
            raise self.make_error("too_long", max=self.max)
        if any(marked and len(list(run)) > MARKS for marked, run in groupby(value, key=_is_mark)):
            raise self.make_error("marks", most=MARKS)
        return unicodedata.normalize("NFC", value).strip()

    def plain(self) -> str:
        if self.pattern:
            return NOTHING
        return rf"\s*((?!\s)[{STABLE}]{{{self.min},{self.max}}}(?<!\s))\s*"

    def limits(self) -> dict[str, Any]:
        if self.dump_only:
            return {}
        least = {"minLength": self.min} if self.min else {}
        visible = r"[^\s\x00][^\x00]*" if self.min else ""
        if self.min > 1:  # what is trimmed does not count
            visible = r"[^\s\x00][^\x00]*[^\s\x00]"
        seen = self.pattern or (visible if self.min > 1 else rf"[^\x00]*{visible}")
        return {"maxLength": self.max, **least, "pattern": f"^{seen}$"}


class Note(Text):
    """A text that may be missing: a blank one is null, since a cell of a file cannot tell."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_none=True, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        return super()._deserialize(value, attr, data, **kwargs) or None


def _is_mark(character: str) -> bool:
    """Whether it sorts among marks once decomposed: three Tibetan vowels do so only then."""
    return unicodedata.combining(unicodedata.normalize("NFD", character)[0]) > 0


class Choice(Value):
    """One of a few words."""

    default_error_messages = {"choice": "Must be one of: {words}."}

    def __init__(self, *words: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words = words

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if value not in self.words:
            raise self.make_error("choice", words=", ".join(self.words))
        return str(value)

    def limits(self) -> dict[str, Any]:
        return {"enum": [*self.words, *([None] if self.allow_none else [])]}


class Slug(Text):
    """A name for addresses: lower-case letters and digits, with single hyphens in between."""

    def __init__(self, *, max: int = 100, **kwargs: Any) -> None:
        allowed = "letters a-z and digits, with single hyphens in between"
        pattern = "[a-z0-9]+(-[a-z0-9]+)*"
        super().__init__(min=1, max=max, pattern=pattern, allowed=allowed, **kwargs)


class Url(Text):
    """The address of a page, in ASCII."""

    def __init__(self, *, max: int = 2000, **kwargs: Any) -> None:
        allowed = "http:// or https://, a host, perhaps a port, a path and a query, in ASCII"
        super().__init__(min=1, max=max, pattern=URL, allowed=allowed, **kwargs)


class Uuid(Value):
    """A UUID in its usual spelling, answered in lower case."""

    default_error_messages = {
        "invalid": "Must be a UUID such as 3f2b8c1e-9d4a-4b6f-8a17-5c0d2e7f9b31.",
    }

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else str(value)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> UUID:
        if not isinstance(value, str) or not re.fullmatch(UUID_SPELLED, value):
            raise self.make_error("invalid")
        return UUID(value)

    def limits(self) -> dict[str, Any]:
        return {"format": "uuid"}


class Secret(Text):
    """A password: its exact characters, never trimmed, never answered."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs, load_only=True)

    def clean(self, value: str) -> str:
        return value

    def plain(self) -> str:
        return NOTHING

    def limits(self) -> dict[str, Any]:
        length = {"maxLength": self.max, "minLength": self.min}
        return {**length, "format": "password", "pattern": r"^[^\x00]*$"}


class Email(Text):
    """A deliverable-looking address (RFC 5322, RFC 6531), in lower case."""

    default_error_messages = {"invalid_email": "Must be a valid e-mail address."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min=3, max=255, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        found = stored_address(super()._deserialize(value, attr, data, **kwargs))
        if found is None:
            raise self.make_error("invalid_email")
        return found

    def plain(self) -> str:
        return NOTHING

    def limits(self) -> dict[str, Any]:
        return {"format": "email"} if self.dump_only else {"format": "email", "maxLength": self.max}


def stored_address(text: str) -> str | None:
    """An e-mail address as it is stored, in lower case; None if it cannot be one.

    Nor one with an encoded word (RFC 2047), which mail programs would read as another address.
    """
    if "=?" in text:
        return None
    try:
        return validate_email(text, check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        return None
