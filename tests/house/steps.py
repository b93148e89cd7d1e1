"""What migrations would say to a database, and what Squawk, a linter of such SQL, makes of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from project.db.migrating import LIMITS, settings

OLDEST = "14.0"  # the PostgreSQL that all of it has to suit
# How things are named and typed is the affair of the models; the rest has a reason of its own.
NOT_ASKED = {
    "prefer-bigint-over-int": "a matter of the models",
    "prefer-bigint-over-smallint": "a matter of the models",
    "prefer-text-field": "a matter of the models",
    "prefer-identity": "the queue's own tables come as its authors write them",
    "prefer-timestamp-tz": "a matter of the models",
    "prefer-robust-stmts": "a revision is a transaction, or says `concurrently`",
    "ban-drop-constraint": "what comes instead is judged, and less is asked of nobody's rows",
    "ban-drop-function": "it takes no rows along",
    "ban-drop-table": "a table that goes is what `flask destroy resource` is asked for",
}
BACK = ("ban-drop-column",)  # the way back takes away what the way there has brought


def written(step: Callable[[], None]) -> str:
    """The SQL of a migration's upgrade or downgrade, in the transaction that it has."""
    text = StringIO()
    options = {"as_sql": True, "output_buffer": text, "transaction_per_migration": True}
    context = MigrationContext.configure(dialect_name="postgresql", opts=options)
    text.writelines(f"{setting};\n" for setting in settings(LIMITS))
    with Operations.context(context), context.begin_transaction(_per_migration=True):
        step()
    return text.getvalue()


def unsafe(steps: Mapping[str, str], folder: Path, *allowed: str) -> set[tuple[str, str]]:
    """The names of those that would keep others waiting or break them, each with the rule."""
    folder.mkdir(exist_ok=True)
    for name, sql in steps.items():
        (folder / f"{name}.sql").write_text(sql)
    squawk = Path(sys.executable).with_name("squawk")
    options = [
        f"--exclude={','.join((*NOT_ASKED, *allowed))}",
        f"--pg-version={OLDEST}",
        "--reporter=json",
    ]
    ran = subprocess.run(
        [squawk, *options, *sorted(folder.glob("*.sql"))],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(ran.stdout)
    return {(re.sub(r".*/|\.sql$", "", each["file"]), each["rule_name"]) for each in found}
