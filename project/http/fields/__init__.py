"""The fields documents are made of: each refuses what its column could not keep, and describes
itself in the words of OpenAPI.

In JSON a number is a number; in a query string or a CSV cell it is spelled in digits. A schema
says which by `spelled`.
"""

from project.http.fields.documents import Json, Many
from project.http.fields.instants import Timestamp, spell
from project.http.fields.numbers import Ids, Int, Money, StrictBoolean
from project.http.fields.text import Choice, Email, Note, Secret, Text, stored_address
from project.http.fields.value import Message, Value

__all__ = [
    "Choice",
    "Email",
    "Ids",
    "Int",
    "Json",
    "Many",
    "Message",
    "Money",
    "Note",
    "Secret",
    "StrictBoolean",
    "Text",
    "Timestamp",
    "Value",
    "spell",
    "stored_address",
]
