"""Documents within documents."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from marshmallow import Schema, ValidationError, fields

from project.http.fields.value import Message, Value


class Json(Value):
    """Whatever JSON holds, as it is."""

    def describe(self) -> dict[str, Any]:
        return {} if self.example is None else {"examples": [self.example]}


class Object(Value):
    """A JSON object, kept as it was sent: the column is `JSON`, since `JSONB` spells it anew.

    Numbers with a fraction are kept as what most programs make of them, a float.
    """

    default_error_messages = {
        "invalid": "Must be a JSON object.",
        "too_large": "Must hold no number beyond 1.7e308.",
    }
    json_type = "object"

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.make_error("invalid")
        kept: dict[str, Any] = self._kept(value)
        return kept

    def _kept(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._kept(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._kept(inner) for inner in value]
        if not isinstance(value, Decimal):
            return value
        if math.isinf(number := float(value)):
            raise self.make_error("too_large")
        return number

    def limits(self) -> dict[str, Any]:
        return {"additionalProperties": True}


class _Each(fields.Nested):
    """One of them, refused in the words of the house."""

    default_error_messages = Value.default_error_messages

    def make_error(self, key: str, **values: Any) -> ValidationError:
        return ValidationError([Message(str(self.error_messages[key]).format(**values), key)])


class Many(fields.List[Any]):
    """Documents of one schema: one at least, and not more than `most`."""

    default_error_messages = {
        **Value.default_error_messages,
        "invalid": "Must be a list.",
        "length": "Must hold 1 to {most}.",
    }

    def __init__(self, schema: type[Schema], *, most: int, **kwargs: Any) -> None:
        length = {"minItems": 1, "maxItems": most}
        super().__init__(_Each(schema), metadata=length, **kwargs)
        self.most = most

    def make_error(self, key: str, **values: Any) -> ValidationError:
        return ValidationError([Message(str(self.error_messages[key]).format(**values), key)])

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> list[Any]:
        if isinstance(value, list) and not 1 <= len(value) <= self.most:
            raise self.make_error("length", most=self.most)
        return super()._deserialize(value, attr, data, **kwargs)
