"""Statements that are compiled once, and asked on the driver's own connection without the ORM.

SQLAlchemy would take longer to build them, and to read what they find, than PostgreSQL to answer.
Where one plan is good for all values, the server keeps that too (PREPARE).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import count
from typing import Any

from sqlalchemy import BindParameter, Select
from sqlalchemy.dialects.postgresql import dialect as postgresql
from sqlalchemy.dialects.postgresql.psycopg2 import dialect as psycopg2

from project.db.session import Asking

PLANS = 200  # that a connection keeps
SHAPES = 2_000  # of questions that are remembered; then all of them are forgotten
NUMBERED: Any = postgresql(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
NAMED: Any = psycopg2()  # type: ignore[no-untyped-call]

Row = tuple[Any, ...]
Build = Callable[[Select[Any]], Select[Any]]

_numbers = count(1)
_shapes: dict[Hashable, tuple[Prepared, Sequence[Sequence[str]]]] = {}


class Prepared:
    """A statement whose parameters are `bindparam`s by their names.

    planned: whether one plan is good for all values; it is not for those of a pattern, say.
    """

    def __init__(self, statement: Select[Any], *, planned: bool = True) -> None:
        dialect = NUMBERED if planned else NAMED
        compiled: Any = statement.compile(dialect=dialect)
        self.fixed = bool(compiled.post_compile_params)  # such as a list: it stands in the text
        if self.fixed:
            planned, dialect, expanded = False, NAMED, {"render_postcompile": True}
            compiled = statement.compile(dialect=dialect, compile_kwargs=expanded)
        self.text = str(compiled)
        self.name = f"stockroom_{next(_numbers)}" if planned else ""
        self.parameters: Mapping[str, BindParameter[Any]] = compiled.binds
        self._places = tuple(compiled.positiontup or ()) if planned else ()
        self._given = dict(compiled.params)
        self._spell = {
            name: process
            for name, parameter in compiled.binds.items()
            if (process := parameter.type.dialect_impl(dialect).bind_processor(dialect))
        }
        arguments = f"({', '.join(['%s'] * len(self._places))})" if self._places else ""
        self._execute = f"EXECUTE {self.name}{arguments}"

    def first(self, values: Mapping[str, Any]) -> Row | None:
        """The first row answered, if there is any; raises what the database refuses."""
        given = self._values(values)
        with Asking() as connection:
            cursor = connection.cursor()
            if self.name:
                self._plan(connection.plans, cursor)
                placed = [given[name] for name in self._places]
                cursor.execute(connection.first + self._execute, placed)
            else:
                cursor.execute(connection.first + self.text, given)
            connection.first = ""
            row: Row | None = cursor.fetchone()
        return row

    def spoken(self, cursor: Any) -> bytes:
        """The text with its own values in it, for what takes no parameters, such as COPY."""
        spoken: bytes = cursor.mogrify(self.text, self._values({}))
        return spoken

    def _values(self, further: Mapping[str, Any]) -> dict[str, Any]:
        """The values by name, as the driver takes them."""
        given = {**self._given, **further}
        for name, spell in self._spell.items():
            given[name] = spell(given[name])
        return given

    def _plan(self, plans: dict[str, str], cursor: Any) -> None:
        """Have the connection keep the plan; the one it was not asked for longest makes room."""
        if plans.pop(self.name, None) is None:
            if len(plans) >= PLANS:
                oldest = next(iter(plans))
                cursor.execute(f"DEALLOCATE {oldest}")
                del plans[oldest]
            cursor.execute(f"PREPARE {self.name} AS {self.text}")
        plans[self.name] = self.text


def ask(found: Select[Any], how: Hashable, build: Build, values: Mapping[str, Any]) -> Row | None:
    """The first row of the statement that is built from a Select, but once only for its shape.

    Selects of one shape differ in nothing but values: SQLAlchemy's cache key says so. A plan is
    kept where they have none, since another value may want another plan.
    how: whatever else the statement depends on.
    values: those of further parameters, by name.
    """
    key = found._generate_cache_key()
    if key is None:
        return Prepared(build(found), planned=False).first(values)
    shape = key.key, how
    if (known := _shapes.get(shape)) is None:
        statement = Prepared(build(found), planned=not key.bindparams)
        if statement.fixed:
            return statement.first(values)
        known = statement, [_names(statement, parameter) for parameter in key.bindparams]
        if len(_shapes) >= SHAPES:
            _shapes.clear()
        _shapes[shape] = known
    statement, named = known
    own = {
        name: parameter.effective_value
        for names, parameter in zip(named, key.bindparams, strict=True)
        for name in names
    }
    return statement.first({**own, **values})


def _names(statement: Prepared, parameter: BindParameter[Any]) -> list[str]:
    """What a parameter of the Select is called in the statement, where it may have been copied."""
    return [name for name, copy in statement.parameters.items() if parameter in copy._cloned_set]
