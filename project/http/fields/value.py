"""What every field has: refusals with a code, and its own JSON Schema."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields
from sqlalchemy import ColumnElement, Text, cast, func, literal_column

NOTHING = "(?!)"  # the regular expression that no text matches


def constant(text: str) -> ColumnElement[str]:
    """A text that is part of a statement, and no parameter of it."""
    doubled = text.replace("'", "''").replace("\\", r"\\")
    escaping = "E" if "\\" in text else ""
    return literal_column(f"{escaping}'{doubled}'", Text)


NULL = constant("null")


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

    def sql(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """A column as PostgreSQL shall write it into a document: what `_serialize` is here."""
        return column

    def json(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The same as JSON: a text, or what `concat` spells as one; never null.

        A class with another `sql` may need another of these, too.
        """
        return or_null(column, cast(func.to_json(self.sql(column)), Text))

    def plain(self) -> str:
        """A regular expression of the spelled values that are good, whose one group is the value.

        Not of all good ones: of those that the field takes, and whose group PostgreSQL reads as
        what the field makes of them. A class with another `_deserialize` has another of these, too.
        """
        return NOTHING

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


def or_null(column: ColumnElement[Any], json: ColumnElement[Any]) -> ColumnElement[Any]:
    """The JSON of a column, given that of its values: what is never null is not asked about."""
    return json if never_null(column) else func.coalesce(json, NULL)


def never_null(column: ColumnElement[Any]) -> bool:
    """Whether it is a column of a table that says so; an outer join may leave it out still."""
    return getattr(column, "nullable", True) is False
