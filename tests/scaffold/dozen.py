"""A dozen resources, one after another, in a copy of the house; then everything, `make test`.

A quarter of an hour and more: `make scaffold`.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from config import ROOT
from tests.scaffold.test_commands import Copy
from tests.scaffold.wanted import EVERYTHING, LONG, MANY_WORDS, ORDER, SHEEP, SHORT, SUPPLIER

IGNORED = shutil.ignore_patterns(
    *(".git", ".venv", ".*_cache", "__pycache__", "instance", "node_modules")
)
DOZEN = [
    SUPPLIER,
    EVERYTHING,
    ORDER,
    SHEEP,
    LONG,
    SHORT,
    MANY_WORDS,
    "category name:text:unique above:ref(categories)? --public-read --soft-delete",
    "person full_name:text:100 email:email:unique? born:date? account:ref(users)?",
    "purchase_order supplier:ref number:bigint:unique:1.. due:date:index note:text:500? --owned",
    "purchase_order_line purchase_order:ref product:ref pieces:integer:1..=1 price:money:0.01..",
    "memo body:text:50000 about:ref(post)? --owned --public-read --soft-delete",
]


def test_a_dozen_resources_pass_everything_and_go_without_a_trace(tmp_path: Path) -> None:
    house = Copy(tmp_path)
    shutil.copytree(ROOT, tmp_path, ignore=IGNORED, dirs_exist_ok=True)
    house.commit()
    (tmp_path / ".venv").symlink_to((ROOT / ".venv").resolve())
    house.run("touch", "-d", "2020-01-01", "requirements.txt", "requirements-dev.txt")
    before = house.status()
    for spec in DOZEN:
        written = house.new(spec)
        assert written.returncode == 0, written.stderr
        print(spec)
    subprocess.run(["make", "test"], cwd=tmp_path, check=True)
    for spec in reversed(DOZEN):
        gone = house.flask("destroy", "resource", spec.split()[0], "--yes")
        assert gone.returncode == 0, gone.stderr
    left = [line for line in house.status() if line not in before]
    assert len(left) == 2 * len(DOZEN)
    assert all(line.startswith("?? migrations/versions/") for line in left)
    house.passes("pytest", "tests/house/test_migrations.py")
