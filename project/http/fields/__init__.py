"""The fields documents are made of: each refuses what its column could not keep, and describes
itself in the words of OpenAPI.

In JSON a number is a number; in a query string or a CSV cell it is spelled in digits. A schema
says which by `spelled`.
"""

from project.http.fields.documents import Json, Many, Object
from project.http.fields.instants import Date, Timestamp, spell
from project.http.fields.numbers import Ids, Int, Money, Numeric, StrictBoolean
from project.http.fields.text import (
    Choice,
    Email,
    Note,
    Secret,
    Slug,
    Text,
    Url,
    Uuid,
    stored_address,
)
from project.http.fields.value import Message, Value

__all__ = [
    "Choice",
    "Date",
    "Email",
    "Ids",
    "Int",
    "Json",
    "Many",
    "Message",
    "Money",
    "Note",
    "Numeric",
    "Object",
    "Secret",
    "Slug",
    "StrictBoolean",
    "Text",
    "Timestamp",
    "Url",
    "Uuid",
    "Value",
    "spell",
    "stored_address",
]
