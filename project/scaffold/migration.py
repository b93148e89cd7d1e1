"""The migration that makes a table, and the one that drops it: written without a database."""

from __future__ import annotations

import ast
from typing import Any, cast

import sqlalchemy as sa
from alembic.autogenerate import render_python_code
from alembic.operations import ops

from project import db
from project.db import Base
from project.errors import Refused
from project.scaffold import layout
from project.scaffold.kinds import Ref, literal
from project.scaffold.resource import Resource

USUAL = {"nullable": True, "always": False, "unique": False}  # what need not be said
PLACED = ("length", "precision", "scale")  # what needs no name
TRIGRAMS = '''
# Where the first migration could have pg_trgm; elsewhere the same question is a scan.
TRIGRAMS = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm') THEN
        CREATE INDEX {name} ON {table} USING gin (lower({column}) gin_trgm_ops);
    END IF;
END $$
"""
'''
CREATE_TRIGRAMS = """
    for column in ({columns}):
        name = f"ix_{table}_{{column}}_trgm"
        op.execute(TRIGRAMS.format(name=name, table="{table}", column=column))
"""
MODULE = '''"""{title}"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None
{constants}

def upgrade() -> None:
{upgrade}


def downgrade() -> None:
{downgrade}
'''


def table(resource: Resource) -> sa.Table:
    """The table of a resource, in a world of its own."""
    names: dict[str, Any] = {**vars(sa), **vars(db), "Uuid": sa.Uuid, "Any": Any}
    names |= {field.constant: field.choices for field in resource.enums}
    columns = [
        sa.Column(
            field.column,
            eval(  # which we have spelled ourselves, as below # nosec B307
                field.kind if field.kind and not isinstance(field, Ref) else field.of_database,
                names,
            ),
            *([sa.ForeignKey(f"{field.table}.id")] if isinstance(field, Ref) else []),
            nullable=field.nullable,
            server_default=(
                None if field.default is None else eval(field.default, names)  # nosec B307
            ),
        )
        for field in resource.fields
    ]
    if resource.owned:
        owner = sa.ForeignKey("users.id", ondelete="CASCADE")
        columns.append(sa.Column("owner_id", sa.BigInteger, owner, nullable=False))
    instant = sa.TIMESTAMP(timezone=True)
    made = sa.Table(
        resource.names.many,
        sa.MetaData(naming_convention=Base.metadata.naming_convention),
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        *columns,
        sa.Column("version", sa.Integer, server_default="1", nullable=False),
        *(
            sa.Column(name, instant, server_default=sa.func.now(), nullable=False)
            for name in ("created_at", "updated_at")
        ),
        *(eval(constraint, names) for constraint in resource.constraints),  # nosec B307
    )
    for column in resource.lowered:
        name = f"ix_{resource.names.many}_lower_{column}"
        sa.Index(name, sa.func.lower(made.c[column]), made.c.id)
    return made


def place(before: str, title: str) -> str:
    """Where the next migration is."""
    return f"migrations/versions/{_next(before)}_{title}.py"


def create(made: sa.Table, searched: list[str], before: str) -> str:
    """The migration that makes this table after `before`, the revision that is the last now."""
    upgrade, downgrade = _make(made, searched), f'    op.drop_table("{made.name}")'
    return _module(str(made.name), before, searched, upgrade, downgrade)


def drop(made: sa.Table, searched: list[str], before: str) -> str:
    """The one that drops it; its way back makes it again, empty."""
    upgrade, downgrade = f'    op.drop_table("{made.name}")', _make(made, searched)
    return _module(f"No {made.name} any more", before, searched, upgrade, downgrade)


def _module(title: str, before: str, searched: list[str], upgrade: str, downgrade: str) -> str:
    constants = TRIGRAMS if searched else ""
    given = {"title": title, "revision": _next(before), "before": before, "constants": constants}
    return layout.tidy(MODULE.format(**given, upgrade=upgrade, downgrade=downgrade))


def _next(before: str) -> str:
    if not before.isdecimal():
        raise Refused(f"The last migration is '{before}', and not a number as 0001; rename it.")
    return f"{int(before) + 1:04d}"


def _make(made: sa.Table, searched: list[str]) -> str:
    """The statements that make a table, indented."""
    indexes = sorted(made.indexes, key=lambda index: str(index.name))
    steps = [ops.CreateTableOp.from_table(made), *map(ops.CreateIndexOp.from_index, indexes)]
    written = render_python_code(ops.UpgradeOps(steps), user_module_prefix="")
    tree = ast.parse("\n".join(line.removeprefix("    ") for line in written.splitlines()))
    lines = [f"    {ast.unparse(_Spelled().visit(node))}" for node in tree.body]
    lines = [_double_quoted(line) for line in lines]
    if searched:
        columns = ", ".join(map(literal, searched)) + ("," if len(searched) == 1 else "")
        lines.append(CREATE_TRIGRAMS.format(columns=columns, table=made.name).strip("\n"))
    return "\n".join(lines)


class _Spelled(ast.NodeTransformer):
    """As the house writes it: nothing that holds anyway, and types by their standard names."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        node.keywords = [
            word
            for word in node.keywords
            if not (isinstance(word.value, ast.Constant) and word.arg in USUAL)
            or word.value.value != USUAL[str(word.arg)]
        ]
        node.args += [word.value for word in node.keywords if word.arg in PLACED]
        node.keywords = [word for word in node.keywords if word.arg not in PLACED]
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        of = node.value
        if isinstance(of, ast.Name) and of.id == "postgresql" and hasattr(sa, node.attr):
            of.id = "sa"
        return node


def _double_quoted(code: str) -> str:
    """The same with strings as the formatter writes them."""
    tree = cast("ast.Expr", ast.parse(code.strip()).body[0])
    strings = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    for node in sorted(strings, key=lambda node: node.col_offset, reverse=True):
        value = str(node.value)
        indent = len(code) - len(code.lstrip())
        text = code.encode()
        begins, ends = node.col_offset + indent, (node.end_col_offset or 0) + indent
        quoted = literal(value).encode() if '"' not in value else text[begins:ends]
        code = (text[:begins] + quoted + text[ends:]).decode()
    return code
