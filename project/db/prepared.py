"""Statements that are compiled once, and asked on the driver's own connection without the ORM.

SQLAlchemy would take longer to build them, and to read what they find, than PostgreSQL to answer.
Where one plan is good for all values, the server keeps that too (PREPARE).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Any

from psycopg2.extensions import QuotedString, register_type
from sqlalchemy import BindParameter, Select
from sqlalchemy.dialects.postgresql.psycopg import PGCompiler_psycopg, PGDialect_psycopg
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2

from config import NAME
from project.db.connections import PASSED
from project.db.session import Asking

PLANS = 200  # that a connection keeps
SHAPES = 2_000  # of questions that are remembered; then all of them are forgotten
RECENT = 500  # Selects whose forms are at hand, for services that answer the same one again


class Compiler(PGCompiler_psycopg):
    """Writes what never changes into the text: parameters cost more than the work on them."""

    def visit_bindparam(
        self, bindparam: Any, *args: Any, literal_binds: bool = False, **kwargs: Any
    ) -> Any:
        value = None if bindparam.required else bindparam.value
        plain = isinstance(value, str) and "\\" not in value
        constant = plain or isinstance(value, int)
        visit: Any = super().visit_bindparam
        return visit(bindparam, *args, literal_binds=literal_binds or constant, **kwargs)


class Dialect(PGDialect_psycopg):
    """For statements whose plan is kept: each parameter tells its type."""

    statement_compiler = Compiler


NUMBERED: Any = Dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
NAMED: Any = PGDialect_psycopg2()  # type: ignore[no-untyped-call]

Row = tuple[Any, ...]
Build = Callable[[Select[Any]], Select[Any]]

_numbers = count(1)
_forms: dict[Hashable, tuple[int, Any]] = {}
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
        self.name = f"{NAME}_{next(_numbers)}" if planned else ""
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
            register_type(PASSED, cursor)
            if self.name:
                self._plan(connection.plans, cursor)
                placed = [given[name] for name in self._places]
                cursor.execute(connection.first + self._execute, placed)
            else:
                cursor.execute(connection.first + self.text, given)
            connection.first = ""
            row: Row | None = cursor.fetchone()
        return row

    def spoken(self, cursor: Any, values: Mapping[str, Any]) -> bytes:
        """The text with its values in it, for what takes no parameters; not of one with a plan."""
        spoken: bytes = cursor.mogrify(self.text, self._values(values))
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


@dataclass(frozen=True)
class Form:
    """What a Select is but for its values, by number; and they.

    model: whose rows it finds, where it looks at nothing else.
    """

    number: int
    model: Any
    parameters: Sequence[BindParameter[Any]]
    values: tuple[Any, ...]

    @property
    def question(self) -> Hashable:
        """The same for whatever asks the same, with the same values."""
        return self.number, self.values


@lru_cache(RECENT)
def form(found: Select[Any]) -> Form | None:
    """The form of a Select, if SQLAlchemy has a cache key of it."""
    key = found._generate_cache_key()
    if key is None:
        return None
    if (known := _forms.get(key.key)) is None:
        if len(_forms) >= SHAPES:
            _forms.clear()
        [first, *others] = found.column_descriptions
        alone = not others and len(found.get_final_froms()) == 1
        known = _forms[key.key] = next(_numbers), first["entity"] if alone else None
    values = tuple(parameter.effective_value for parameter in key.bindparams)
    return Form(*known, key.bindparams, values)


def ask(found: Select[Any], how: Hashable, build: Build, values: Mapping[str, Any]) -> Row | None:
    """The first row of the statement that is built from a Select, but once only for its form.

    A plan is kept where the form has no values, since another value may want another plan.
    how: whatever else the statement depends on.
    values: those of further parameters, by name.
    """
    statement, own = _built(found, how, build)
    return statement.first({**own, **values})


class Spoken:
    """A statement as a value of another, with its own values in its text."""

    def __init__(
        self, found: Select[Any], how: Hashable, build: Build, values: Mapping[str, Any]
    ) -> None:
        self._statement, own = _built(found, how, build)
        self._values = {**own, **values}

    def __conform__(self, _: object) -> Spoken:
        return self

    def text(self, cursor: Any) -> str:
        """The statement, as it would be said."""
        return self._statement.spoken(cursor, self._values).decode()

    def prepare(self, connection: Any) -> None:
        """What the driver calls before it asks for the value."""
        self._quoted = QuotedString(self.text(connection.cursor()))
        self._quoted.prepare(connection)

    def getquoted(self) -> bytes:
        """The value as the driver sends it."""
        quoted: bytes = self._quoted.getquoted()
        return quoted


def _built(found: Select[Any], how: Hashable, build: Build) -> tuple[Prepared, Mapping[str, Any]]:
    """The statement, and the values of the Select by their names in it."""
    if (known := form(found)) is None:
        return Prepared(build(found), planned=False), {}
    shape = known.number, how
    if (built := _shapes.get(shape)) is None:
        statement = Prepared(build(found), planned=not known.parameters)
        if statement.fixed:
            return statement, {}
        built = statement, [_names(statement, parameter) for parameter in known.parameters]
        if len(_shapes) >= SHAPES:
            _shapes.clear()
        _shapes[shape] = built
    statement, named = built
    own = {name: value for names, value in zip(named, known.values, strict=True) for name in names}
    return statement, own


def _names(statement: Prepared, parameter: BindParameter[Any]) -> list[str]:
    """What a parameter of the Select is called in the statement, where it may have been copied."""
    return [name for name, copy in statement.parameters.items() if parameter in copy._cloned_set]
