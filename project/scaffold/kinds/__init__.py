"""The types of fields: how each is spelled in a model, a schema, a filter, and in tests."""

from project.scaffold.kinds.field import Field, literal
from project.scaffold.kinds.numbers import Bigint, Decimals, Integer, Money
from project.scaffold.kinds.text import Email, Slug, Text, Url
from project.scaffold.kinds.values import Boolean, Date, Datetime, Enum, Json, Ref, Uuid

__all__ = [
    "Bigint",
    "Boolean",
    "Date",
    "Datetime",
    "Decimals",
    "Email",
    "Enum",
    "Field",
    "Integer",
    "Json",
    "Money",
    "Ref",
    "Slug",
    "Text",
    "Url",
    "Uuid",
    "literal",
]
