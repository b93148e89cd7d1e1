"""What is taken out of code and prose, and what stays."""

from __future__ import annotations

import json
import re
from textwrap import dedent

import pytest

from config import ROOT
from project.scaffold.projects import prose
from project.scaffold.projects.pruning import prune

LAMPS = re.compile(r"(?<![A-Za-z])[Ll]amps?(?![a-z])")
CODE = {  # before, after
    "an element": ('A = ["lamp", "desk"]', 'A = [ "desk"]'),
    "a record": ('A = (\n    ("lamp", 1),\n    ("desk", 2),\n)', 'A = (\n    ("desk", 2),\n)'),
    "an entry": ('A = {"lamp": 1, "desk": 2}', 'A = { "desk": 2}'),
    "a typed list": ('A: list[str] = ["lamp"]', "A: list[str] = []"),
    "an import": ("from b import lamp, desk\nlamp()\ndesk()", "from b import  desk\ndesk()"),
    "a module": ("import lamps\nimport desks", "import desks"),
    "a test": (
        "def test_it():\n    lamp()\n\n\ndef test_that():\n    pass",
        "\n\ndef test_that():\n    pass",
    ),
    "a line of a helper": ("def it():\n    lamp()\n    desk()", "def it():\n    desk()"),
    "what needs it": ("def lamp():\n    pass\n\n\nA = lamp()\nB = 1", "\n\nB = 1"),
    "an answer takes all": ("def it():\n    desk()\n    return lamp()\n\n\nB = 1", "\n\nB = 1"),
    "a comment above": ("# Of lamps.\nlamp()\ndesk()", "desk()"),
    "nothing": ("def it():\n    return lampoon", "def it():\n    return lampoon"),
}
PROSE = {
    "a paragraph": ("A lamp.\n\nA desk.", "A desk.\n"),
    "an item": ("- a lamp\n- a desk", "- a desk\n"),
    "a row": ("| a |\n|---|\n| lamp |\n| desk |", "| a |\n|---|\n| desk |\n"),
    "a line": ("```sh\nlamp\ndesk\n```", "```sh\ndesk\n```\n"),
    "a listing": ("```json\n{\n lamp\n}\n```\n\nA desk.", "A desk.\n"),
    "a section": (
        "# One\n\n## Lamps\n\nOf brass.\n\n## Desks\n\nOf oak.",
        "# One\n\n## Desks\n\nOf oak.\n",
    ),
    "an empty section": (
        "# One\n\n## A\n\nA lamp.\n\n## B\n\nOf oak.",
        "# One\n\n## B\n\nOf oak.\n",
    ),
}


@pytest.mark.parametrize(("before", "after"), CODE.values(), ids=CODE)
def test_code_goes_with_what_it_speaks_of(before: str, after: str) -> None:
    assert prune(before, LAMPS).source.strip() == after.strip()


@pytest.mark.parametrize(("before", "after"), PROSE.values(), ids=PROSE)
def test_prose_goes_with_what_it_speaks_of(before: str, after: str) -> None:
    assert prose.markdown(before, LAMPS) == after


def test_a_docstring_loses_lines_but_its_first() -> None:
    before = '"""A lamp.\n\none: a lamp.\ntwo: a desk.\n"""\n'
    assert prune(before, LAMPS).source == '"""A lamp.\n\ntwo: a desk.\n"""\n'


def test_a_dashboard_loses_panels() -> None:
    panels = [{"title": "Lamps"}, {"title": "Desks", "targets": [{"expr": "shop_desks"}]}]
    before = json.dumps({"title": "Shop", "panels": [*panels, {"expr": "shop_lamps_total"}]})
    assert json.loads(prose.dashboard(before, LAMPS)) == {"title": "Shop", "panels": panels[1:]}


def test_targets_that_run_what_is_not_there_go() -> None:
    text = dedent("""\
        run:
        \tserve

        light:
        \tpython -m tests.no_such_light

        .PHONY: run light
        """)
    gone = prose.idle(text, ROOT)
    assert gone == {"light"}
    assert prose.makefile(text, gone) == "run:\n\tserve\n\n.PHONY: run\n"
