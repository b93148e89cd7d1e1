"""A resource as it was asked for, and what follows from it for all of its files."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from project.errors import Refused
from project.scaffold.kinds import Boolean, Enum, Field, Ref, Text
from project.scaffold.names import Names

MOST = 50  # fields
LONGEST = 63  # bytes of a name in PostgreSQL
SENTENCE = 70  # letters


@dataclass(frozen=True)
class Resource:
    """What a room is written of.

    soft: deleting makes a row inactive; owned: only who made a row changes it; public: anybody may
    read; spec: the command, so that it can be written again.
    """

    names: Names
    given: tuple[Field, ...]
    soft: bool
    owned: bool
    public: bool
    spec: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.given) <= MOST:
            raise Refused(f"A resource has 1 to {MOST} fields, not {len(self.given)}.")
        _once("field", [field.column for field in self.fields] + ["owner_id"] * self.owned)
        _once("filter", [name for name, _, _ in self.filters])
        _once("list of words", [field.constant for field in self.enums])
        for name in self.of_database:
            if len(name) > LONGEST:
                raise Refused(
                    f"PostgreSQL's names have at most {LONGEST} letters, and '{name}' has "
                    f"{len(name)}: choose shorter names."
                )

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """Those that were given, and whether a row is active."""
        active = Boolean(name="is_active", default='text("true")')
        return (*self.given, active) if self.soft else self.given

    @property
    def enums(self) -> list[Enum]:
        return [field for field in self.fields if isinstance(field, Enum)]

    @property
    def refs(self) -> list[Ref]:
        return [field for field in self.fields if isinstance(field, Ref)]

    @property
    def needed(self) -> list[Ref]:
        """Refs without which there is no row."""
        return [field for field in self.refs if not field.nullable]

    @property
    def uniques(self) -> list[Field]:
        return [field for field in self.fields if field.unique]

    @property
    def searched(self) -> list[Field]:
        return [field for field in self.fields if field.searched]

    @property
    def sortable(self) -> list[Field]:
        """A column may not be nullable: a cursor has no place among values that are not there."""
        return [field for field in self.fields if field.sortable and not field.nullable]

    @property
    def required(self) -> list[Field]:
        return [field for field in self.fields if not field.nullable and field.default is None]

    @property
    def filters(self) -> list[tuple[str, str, str]]:
        """Each with the verb and the column that it asks."""
        asked = [
            (f"{field.column}{suffix}", verb, field.column)
            for field in self.fields
            for suffix, verb, _ in field.filters
        ]
        return [*asked, ("owner_id", "equals", "owner_id")] if self.owned else asked

    @property
    def conflict(self) -> str:
        """What is told of a row in the way."""
        return '("id", "is_active")' if self.soft else '("id",)'

    def taken(self, field: Field, value: str | None = None) -> str:
        """The sentence about a value that is there already."""
        value = f"{{{field.column}}}" if value is None else value
        said = f"{self.names.title} with {field.words} '{value}' already exists"
        return said if len(said) < SENTENCE else f"'{value}' is there already"

    @property
    def constraints(self) -> Iterator[str]:
        """What stands in `__table_args__`."""
        for field in self.uniques:
            rule = f'rule("duplicate_{field.column}", "{self.taken(field)}"'
            info = f"{rule}, conflict={self.conflict})"
            yield f'UniqueConstraint("{field.column}", info={info})'
        for field in self.fields:
            if field.check is not None:
                yield f'CheckConstraint({field.condition}, name="{field.check[0]}")'
        for column in self.indexed:
            yield f'Index("ix_{self.names.many}_{column}", "{column}", "id")'

    @property
    def indexed(self) -> list[str]:
        """The columns that have an index as they are."""
        plain = (field for field in self.fields if not isinstance(field, Text))
        columns = [each.column for each in plain if each.indexed or isinstance(each, Ref)]
        return [*columns, "owner_id"] if self.owned else columns

    @property
    def lowered(self) -> list[str]:
        """Those whose index is of the lower case, as they are sorted."""
        return [each.column for each in self.fields if each.indexed and isinstance(each, Text)]

    @property
    def of_database(self) -> Iterator[str]:
        """Every name that PostgreSQL will know."""
        table = self.names.many
        yield from (f"uq_{table}_{field.column}" for field in self.uniques)
        yield from (f"ck_{table}_{field.check[0]}" for field in self.fields if field.check)
        yield from (f"fk_{table}_{field.column}" for field in self.refs)
        yield from (f"ix_{table}_{column}" for column in self.indexed)
        yield from (f"ix_{table}_lower_{column}" for column in self.lowered)
        yield from (f"ix_{table}_{field.column}_trgm" for field in self.searched)

    @property
    def command(self) -> str:
        """How it was asked for, to be said again."""
        return f"flask new resource {shlex.join(self.spec)}"


def _once(what: str, names: Sequence[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise Refused(f"The {what} '{name}' would be there twice; choose another name.")
