"""Rendered code as the linter wants it: only imports that are used, in order; lines that fit.

Templates import whatever they might need and write a statement a line, however long.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from textwrap import wrap

WIDTH = 100
OPENING, CLOSING = "([{", ")]}"


def tidy(source: str) -> str:
    """The module with the imports it uses, folded to the width of a line."""
    tree = ast.parse(source)
    read = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    used = {node.id for node in read if isinstance(node.ctx, ast.Load)}
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom | ast.Import)]
    if imports:
        lines = source.splitlines()
        first, last = imports[0].lineno - 1, imports[-1].end_lineno or 0
        lines[first:last] = _imports(imports, used)
        source = "\n".join(lines)
    folded = "\n".join(part for line in _spaced(source) for part in _fold(line))
    return f"{folded.strip()}\n" if folded.strip() else ""


def _spaced(source: str) -> Iterator[str]:
    """The lines: two blank ones before functions and classes, never more, and one within them."""
    before, blank = "", 0
    for line in source.splitlines():
        if not line.strip():
            blank += 1
            continue
        if line.startswith(("class ", "def ", "@")) and blank:
            blank = 2
        elif line.startswith(" ") or before.startswith(("from ", "import ")):
            blank = min(blank, 1)
        yield from [""] * min(blank, 2)
        yield line.rstrip()
        before, blank = line, 0


def names(source: str) -> Counter[str]:
    """Every name that a module imports, or gives to something of its own, and how often."""
    found: Counter[str] = Counter()
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom | ast.Import):
            found.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] += 1
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update(target.id for target in targets if isinstance(target, ast.Name))
    return found


def _imports(imports: list[ast.ImportFrom | ast.Import], used: set[str]) -> list[str]:
    """What is used of them, in sections: of the future, the library, others, ours."""
    wanted: dict[tuple[bool, str, str], set[str]] = {}
    for node in imports:
        of = "" if isinstance(node, ast.Import) else str(node.module)
        for each in node.names:
            if of == "__future__" or (each.asname or each.name.partition(".")[0]) in used:
                said = f"{each.name} as {each.asname}" if each.asname else each.name
                alone = said if each.asname else ""  # a line of its own
                wanted.setdefault((bool(of), of or each.name, alone), set()).add(said)
    sections: dict[int, list[str]] = {}
    for (many, module, _), known in sorted(wanted.items(), key=_place):
        line = f"from {module} import {', '.join(sorted(known, key=_rank))}"
        sections.setdefault(_section(module), []).append(line if many else f"import {min(known)}")
    found: list[str] = []
    for _, section in sorted(sections.items()):
        found += ["", *section]
    return found[1:]


def _place(line: tuple[tuple[bool, str, str], set[str]]) -> tuple[bool, str, str]:
    (many, module, _), known = line
    return many, module, min(known)


def _rank(name: str) -> tuple[int, str]:
    """Constants before classes before functions."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def _section(module: str) -> int:
    top = module.partition(".")[0]
    if top == "__future__":
        return 0
    if top in sys.stdlib_module_names:
        return 1
    return 3 if top in ("config", "project", "tests") else 2


def _fold(line: str) -> Iterator[str]:
    """A statement on as many lines as it takes: split at its last bracket, or at its commas."""
    indent = len(line) - len(line.lstrip())
    if len(line) <= WIDTH:
        yield line
        return
    if line.startswith("from "):
        before, _, rest = line.partition(" import ")
        line = f"{before} import ({rest})"
    opened, closed = _brackets(line)
    if opened < 0:  # a word that no line holds, or a string
        yield from _broken(line, indent)
        return
    inside, rest = line[opened + 1 : closed], line[closed:]
    yield line[: opened + 1]
    deeper = " " * (indent + 4)
    parts = list(_parts(inside))
    called = line[:opened][-1:].isidentifier() or line[:opened].endswith((")", "]"))
    if not called or (len(parts) > 1 and len(deeper + inside) > WIDTH):
        for part in parts:
            yield from _fold(f"{deeper}{part},")
    else:
        yield from _fold(deeper + inside.strip())
    yield f"{' ' * indent}{rest}"


def _broken(line: str, indent: int) -> Iterator[str]:
    """A string as several, which Python joins."""
    string = re.fullmatch(r' *"([^"\\]*)"(,?)', line)
    if string is None:
        yield line
        return
    *pieces, last = wrap(string[1], WIDTH - indent - 4, break_on_hyphens=False)
    for piece in pieces:
        yield f'{" " * indent}"{piece} "'
    yield f'{" " * indent}"{last}"{string[2]}'


def _brackets(line: str) -> tuple[int, int]:
    """Where the last bracket of the outermost opens and closes; -1 if there is none."""
    depth, opened, found = 0, -1, (-1, -1)
    for place, sign in _signs(line):
        if sign in OPENING:
            opened, depth = (place if depth == 0 else opened), depth + 1
        elif sign in CLOSING:
            depth -= 1
            if depth == 0:
                first = line.lstrip().startswith("def ") and found != (-1, -1)
                found = found if first else (opened, place)
    return found


def _parts(inside: str) -> Iterator[str]:
    """What stands between the outermost commas."""
    depth, begun = 0, 0
    for place, sign in _signs(inside):
        depth += (sign in OPENING) - (sign in CLOSING)
        if sign == "," and depth == 0:
            yield inside[begun:place].strip()
            begun = place + 1
    if inside[begun:].strip():
        yield inside[begun:].strip()


def _signs(code: str) -> Iterator[tuple[int, str]]:
    """Brackets and commas with their places, but none that stand in a string."""
    shift, quoted = len(code) - len(code.lstrip()), 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(code.lstrip()).readline):
            name = tokenize.tok_name[token.type]
            quoted += (name == "FSTRING_START") - (name == "FSTRING_END")  # from Python 3.12 on
            if name == "OP" and not quoted and token.string in f"{OPENING}{CLOSING},":
                yield token.start[1] + shift, token.string
    except tokenize.TokenError:
        return
