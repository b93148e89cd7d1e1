"""Texts without what speaks of rooms that are left out: of a list its item, else its paragraph."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

FLOORS = r"[a-z]+(?: \| [a-z]+)+ {2,}"  # a line of a list of who stands above whom
FLOOR = r"([a-z]+(?: \| [a-z]+)*) {2,}"  # one of that list, where one may stand alone
COLUMN = 40  # where a line says what they are, but for the blanks


def markdown(text: str, words: re.Pattern[str]) -> str:
    """Without paragraphs, items, rows and lines of listings; a section that is empty then goes."""
    left = [rest for block in _sections(_blocks(text), words) if (rest := _block(block, words))]
    kept = [
        block for block, after in zip(left, [*left[1:], ""], strict=True) if not _bare(block, after)
    ]
    return "\n\n".join(kept) + "\n"


def _blocks(text: str) -> list[str]:
    """What blank lines separate, but for those in a listing."""
    found: list[str] = []
    for block in re.split(r"\n{2,}", text.strip()):
        if found and found[-1].count("```") % 2:
            found[-1] += f"\n\n{block}"
        else:
            found.append(block)
    return found


def _sections(blocks: list[str], words: re.Pattern[str]) -> Iterator[str]:
    """The blocks, without those below a heading that speaks."""
    under = 0
    for block in blocks:
        level = len(block) - len(block.lstrip("#"))
        if level and (not under or level <= under):
            under = level if words.search(block) else 0
        if not under:
            yield block


def _block(block: str, words: re.Pattern[str]) -> str:
    if not words.search(block):
        return block
    lines = block.split("\n")
    if block.startswith("```") and any(re.match(FLOORS, line) for line in lines):
        rest = [_floor(line, words) for line in lines[1:-1]]
        return "\n".join([lines[0], *filter(None, rest), lines[-1]])
    if block.startswith("```sh"):
        rest = [line for line in lines[1:-1] if not words.search(line)]
        return "\n".join([lines[0], *rest, lines[-1]]) if any(rest) else ""
    if block.startswith("|"):
        rest = [line for line in lines[2:] if not words.search(line)]
        return "\n".join([*lines[:2], *rest]) if rest else ""
    if re.match(r"([-*]|\d+\.) ", block):
        items = re.split(r"\n(?=(?:[-*]|\d+\.) )", block)
        return "\n".join(item for item in items if not words.search(item))
    return ""


def _floor(line: str, words: re.Pattern[str]) -> str:
    """The same names but for those."""
    floor = re.match(FLOOR, line)
    if floor is None or not words.search(line):
        return line
    names = [name for name in floor[1].split(" | ") if not words.search(name)]
    return f"{' | '.join(names):<{COLUMN}}  {line[floor.end() :]}" if names else ""


def _bare(block: str, after: str) -> bool:
    """A heading, or a sentence that announces something, before nothing of its own."""
    if block.startswith("#"):
        level = len(block.split(" ")[0])
        return not after or (after.startswith("#") and len(after.split(" ")[0]) <= level)
    return block.endswith(":") and not after.startswith(("```", "- ", "1. ", "|"))


def idle(text: str, house: Path) -> set[str]:
    """The targets of a Makefile that run what is not there."""
    return {
        target.partition(":")[0]
        for target in text.split("\n\n")
        for module, pattern in re.findall(r"-m (tests\.\w+)|(tests/[\w*]+\.py)", target)
        if not any(house.glob(pattern or f"{module.replace('.', '/')}.py"))
    }


def makefile(text: str, names: set[str]) -> str:
    """Without these targets."""
    targets = text.split("\n\n")
    left = [target for target in targets if target.partition(":")[0] not in names]
    phony = re.compile(rf" ({'|'.join(map(re.escape, names))})(?= |$)", re.MULTILINE)
    return "\n\n".join(
        phony.sub("", target) if target.startswith(".PHONY") and names else target
        for target in left
    )


def contracts(text: str, project: Path) -> str:
    """pyproject.toml with the import contracts of what is there."""
    modules = {path.relative_to(project).with_suffix("").parts for path in project.rglob("*.py")}
    modules = {parts[:-1] if parts[-1] == "__init__" else parts for parts in modules}
    named = {".".join(("project", *parts)) for parts in modules}
    inside = {"floors": {parts[0] for parts in modules if len(parts) == 1}}
    inside["rooms"] = {parts[-1] for parts in modules if len(parts) > 1}
    lines, contract, key = [], "", ""
    for line in text.split("\n"):
        if begun := re.match(r'id = "(\w+)"|(\w+) = \[', line):
            contract, key = begun[1] or contract, begun[2] or ""
        if key == "containers" and "project." in line:
            there = [each for each in re.findall(r'"([\w.]+)"', line) if each in named]
            line = f"containers = [{', '.join(map(repr, there))}]".replace("'", '"')
        quoted = re.fullmatch(r' {4}"(.+)",', line)
        if quoted and key == "layers":
            left = [it for it in quoted[1].split(" | ") if it.strip("()") in inside[contract]]
            line = f'    "{" | ".join(left)}",' if left else ""
        elif (
            quoted
            and key == "source_modules"
            and not any(fnmatch(each, quoted[1]) for each in named)
        ):
            line = ""
        if line or not quoted:
            lines.append(line)
    return "\n".join(lines)


def dashboard(text: str, words: re.Pattern[str]) -> str:
    """Grafana's JSON without the panels that speak of them."""
    board = json.loads(text)
    board["panels"] = [each for each in board["panels"] if not words.search(json.dumps(each))]
    return json.dumps(board, indent=2) + "\n"


def paragraphs(text: str, words: re.Pattern[str]) -> str:
    """Without the paragraphs that speak of them."""
    kept = (part for part in text.rstrip("\n").split("\n\n") if not words.search(part))
    return "\n\n".join(kept) + "\n"
