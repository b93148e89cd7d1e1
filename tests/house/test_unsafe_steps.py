"""No migration makes others wait or breaks them: Squawk reads the SQL of each, up and down."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import op
from alembic.script import ScriptDirectory

from config import ROOT
from project.db.migrating import create_index
from tests.house.steps import BACK, unsafe, written
from tests.scaffold.wanted import ALL, migrations


def test_no_step_is_unsafe_but_for_a_reason_that_it_gives(tmp_path: Path) -> None:
    """In its module, as DELIBERATE: the reason by the rule."""
    steps, back, deliberate = {}, {}, set()
    for script in ScriptDirectory(ROOT / "migrations").walk_revisions():
        steps[script.revision] = written(script.module.upgrade)
        back[script.revision] = written(script.module.downgrade)
        for rule in getattr(script.module, "DELIBERATE", {}):
            deliberate.add((script.revision, rule))
    found = unsafe(steps, tmp_path / "there") | unsafe(back, tmp_path / "back", *BACK)
    assert found == deliberate


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.split()[0][:20])
def test_what_is_written_by_command_is_safe(spec: str, tmp_path: Path) -> None:
    steps = {}
    for name, source in zip(("made", "dropped"), migrations(spec), strict=True):
        module: Any = ModuleType(name)
        exec(source, module.__dict__)
        steps[f"{name}_up"] = written(module.upgrade)
        steps[f"{name}_down"] = written(module.downgrade)
    assert unsafe(steps, tmp_path) == set()


STEPS = {
    "an index": lambda: op.create_index("ix_users_bio", "users", ["bio"]),
    "a check": lambda: op.create_check_constraint("ck_users_bio", "users", "bio <> ''"),
    "a unique rule": lambda: op.create_unique_constraint("uq_users_bio", "users", ["bio"]),
    "a column that must be there": lambda: op.alter_column("users", "bio", nullable=False),
    "another type": lambda: op.alter_column("users", "id", type_=sa.Numeric()),
    "another name": lambda: op.alter_column("users", "bio", new_column_name="life"),
    "a column that goes": lambda: op.drop_column("users", "bio"),
    "a reference": lambda: op.create_foreign_key("fk", "users", "sessions", ["id"], ["user_id"]),
}


@pytest.mark.parametrize("what", STEPS)
def test_on_a_table_that_has_rows_none_of_these_passes(what: str, tmp_path: Path) -> None:
    assert unsafe({"step": written(STEPS[what])}, tmp_path)


def test_an_index_without_a_pause_passes(tmp_path: Path) -> None:
    step = written(lambda: create_index("ix_users_bio", "users", ["bio"]))
    assert unsafe({"step": step}, tmp_path) == set()
