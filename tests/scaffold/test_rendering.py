"""What is rendered pleases the linter as it stands, is short, and is as if written by hand."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import ROOT
from project.errors import Refused
from project.scaffold import layout, registry
from project.scaffold.making import Wanted
from project.scaffold.names import names
from tests.scaffold import wanted
from tests.scaffold.wanted import ALL, SUPPLIER, migrations, rendered, resource

PRODUCT = (
    "product name:text:unique:255 description:text:2000? price:money:0.01.. stock:integer:0..=0 "
    "low_stock_threshold:integer:0..? --soft-delete --public-read"
)
POST = "post title:text:255 content:text:50000 is_published:boolean=false --owned"


def ruff(folder: Path, *command: str) -> str:
    """What it complains of in this folder."""
    done = subprocess.run(
        [Path(sys.executable).with_name("ruff"), *command, "--no-cache", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.split()[0][:20])
def test_what_is_rendered_needs_no_formatting(tmp_path: Path, spec: str) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    up, down = migrations(spec)
    further = {"migrations/versions/0002_up.py": up, "migrations/versions/0003_down.py": down}
    paths = (path for top in ("project", "tests") for path in (ROOT / top).rglob("*.py"))
    houses = {path.relative_to(ROOT).as_posix(): '"""Ours."""\n' for path in paths}
    for place, source in {**houses, **rendered(spec), **further}.items():
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    assert ruff(tmp_path, "format", "--diff") == ""
    assert ruff(tmp_path, "check") == ""


@pytest.mark.parametrize("options", ["", "--soft-delete", "--owned", "--public-read"])
def test_no_file_is_longer_than_a_hundred_lines(options: str) -> None:
    spec = f"{SUPPLIER} {options}".strip()
    assert len(resource(spec).given) == 10
    lengths = {place: text.count("\n") for place, text in rendered(spec).items()}
    assert {place: length for place, length in lengths.items() if length > 100} == {}


def test_a_room_says_by_which_command_it_was_written() -> None:
    for spec in ALL:
        files = rendered(spec)
        [sign] = [text for place, text in files.items() if place.endswith("__init__.py") and text]
        command = sign.partition("flask new resource ")[2].removesuffix('\n"""\n')
        assert Wanted.said(shlex.split(command)) == wanted.said(spec)


def functions(source: str) -> dict[str, tuple[list[str], list[str]]]:
    """Each function with its parameters and its decorators, as they are called."""
    return {
        node.name: (
            [each.arg for each in [*node.args.args, *node.args.kwonlyargs]],
            [_spelled(decorator) for decorator in node.decorator_list],
        )
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }


def _spelled(decorator: ast.expr) -> str:
    """But for what is written by hand to be fast."""
    return re.sub(", (counts=service.COUNTS|shaped=True)", "", ast.unparse(decorator))


def classes(source: str) -> dict[str, list[str]]:
    """Each class with its bases."""
    tree = ast.parse(source)
    found = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return {node.name: [ast.unparse(base) for base in node.bases] for node in found}


def assigned(source: str, of: str) -> Iterator[tuple[str, str]]:
    """What stands in a class, by name, but for examples and what describes."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.name == of:
            for line in node.body:
                if isinstance(line, ast.AnnAssign):
                    value = "" if line.value is None else ast.unparse(line.value)
                    indexed = ", info={'ngrams': True}"  # which is asked for by hand
                    said = f"{ast.unparse(line.annotation)} {value}".replace(indexed, "")
                    yield ast.unparse(line.target), said
                elif isinstance(line, ast.Assign) and isinstance(line.value, ast.Call):
                    call = line.value
                    hidden = ("example", "metadata")
                    call.keywords = [word for word in call.keywords if word.arg not in hidden]
                    yield ast.unparse(line.targets[0]), ast.unparse(call)


def by_hand(room: str, name: str) -> str:
    return (ROOT / "project" / room / f"{name}.py").read_text()


def test_rendered_products_have_the_views_of_those_written_by_hand() -> None:
    ours = functions(rendered(PRODUCT)["project/products/routes.py"])
    theirs = functions(by_hand("products", "routes"))
    theirs["create_product"][0].remove("shape")
    assert len(ours) == 7
    assert ours == {name: theirs.get(name) for name in ours}


def test_rendered_posts_are_changed_as_those_written_by_hand() -> None:
    ours = functions(rendered(POST)["project/posts/routes.py"])
    theirs = functions(by_hand("posts", "routes"))
    for name in ("create_post", "put_post", "patch_post", "delete_post"):
        decorators = [each.replace("service.OnlyAuthor", "OnlyOwner") for each in theirs[name][1]]
        assert ours[name] == (theirs[name][0], decorators)


def test_rendered_products_have_the_documents_of_those_written_by_hand() -> None:
    source, hand = rendered(PRODUCT)["project/products/schemas.py"], by_hand("products", "schemas")
    ours, theirs = classes(source), classes(hand)
    assert ours == {name: theirs.get(name) for name in ours}
    for name in ("ProductIn", "ProductPatch"):
        assert dict(assigned(source, name)) == dict(assigned(hand, name))


def test_rendered_products_have_the_verbs_of_those_written_by_hand() -> None:
    ours = functions(rendered(PRODUCT)["project/products/service.py"])
    theirs = functions(by_hand("products", "service"))
    assert list(ours) == [name for name in theirs if name in ours]
    for name in ("find", "update", "delete", "restore"):
        assert ours[name] == theirs[name]


def test_a_rendered_product_has_the_columns_of_one_written_by_hand() -> None:
    ours = dict(assigned(rendered(PRODUCT)["project/products/models.py"], "Product"))
    theirs = dict(assigned(by_hand("products", "models"), "Product"))
    ours["stock"] = ours["stock"].replace("server_default='0'", "server_default=text('0')")
    assert ours == {name: theirs.get(name) for name in ours}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("ox date:date", "'date' cannot name this field"),
        ("ox text:text flag:boolean=true", "'text' cannot name this field"),
        ("ox rule:text:unique", "'rule' cannot name this field"),
        ("item name:text", "two things called Item"),
        ("index name:text:unique product:ref", "two things called Index"),
        ("select name:text", "two things called Select"),
    ],
)
def test_no_name_means_two_things(spec: str, told: str) -> None:
    with pytest.raises(Refused, match=told):
        rendered(spec)


def test_text_may_be_the_name_of_a_field_where_nothing_else_is_called_so() -> None:
    assert "text: Mapped[str]" in rendered("ox text:text")["project/oxes/models.py"]


@pytest.mark.parametrize("path", [registry.FEATURES, registry.CONTRACTS])
@pytest.mark.parametrize("one", ["aardvark", "supplier", "zebra", "purchase_order"])
def test_what_is_registered_can_be_taken_out_again(path: str, one: str) -> None:
    called = names(one)
    before = registry.unregister(path, (ROOT / path).read_text(), called)  # if it is there already
    after = registry.register(path, before, called)
    assert after.count(called.many) > before.count(called.many)
    assert registry.unregister(path, after, called) == before
    assert registry.unregister(path, before, called) == before


def test_imports_that_nobody_uses_are_left_out_and_long_lines_are_folded() -> None:
    source = f"""from b import {", ".join(f"name{n:02}" for n in range(30))}
from a import unused
import json
used = [{", ".join(f"name{n:02}" for n in range(0, 30, 2))}]
said = json.dumps({{"x": "({"y" * 90}"}})
"""
    assert layout.tidy(source).splitlines()[:4] == [
        "import json",
        "",
        "from b import (",
        "    name00,",
    ]
    assert "unused" not in layout.tidy(source)
    assert "name01" not in layout.tidy(source)
    ast.parse(layout.tidy(source))
