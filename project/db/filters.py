"""Filters of a list: what each parameter asks of a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select
from sqlalchemy.orm import InstrumentedAttribute

from project.db.models import Base

Entity = TypeVar("Entity", bound=Base)
Filter = Callable[[Any], ColumnElement[bool]]


def equals(column: InstrumentedAttribute[Any]) -> Filter:
    """Whether it is the value."""
    return lambda value: column == value


def at_least(column: InstrumentedAttribute[Any]) -> Filter:
    """Whether it is the value or more; what is missing is not."""
    return lambda value: column >= value


def at_most(column: InstrumentedAttribute[Any]) -> Filter:
    """Whether it is the value or less; what is missing is not."""
    return lambda value: column <= value


def narrowed(
    found: Select[Entity], filters: Mapping[str, Filter], given: Mapping[str, Any]
) -> Select[Entity]:
    """The rows of which everything holds that is given: the values of some of the filters."""
    return found.where(*(filters[name](value) for name, value in given.items()))
