"""Cutting pieces out of a source and leaving the rest of it as it was written."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import Any

Span = tuple[int, int]  # of bytes, as `ast` counts


class Cuts:
    """A source, and what is to go from it."""

    def __init__(self, source: str) -> None:
        self.raw = source.encode()
        self.starts = [0]
        for line in self.raw.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.spans: list[Span] = []

    def rest(self) -> str:
        """What is left."""
        raw = self.raw
        for start, end in sorted(_outermost(self.spans), reverse=True):
            raw = raw[:start] + raw[end:]
        return raw.decode()

    def text(self, node: ast.stmt, words: re.Pattern[str]) -> None:
        """Of a docstring of many lines, those with these words."""
        for line in range(node.lineno, (node.end_lineno or node.lineno) - 1):
            if words.search(self.raw[self.starts[line] : self.starts[line + 1]].decode()):
                self.spans.append((self.starts[line], self.starts[line + 1]))

    def statement(self, node: ast.stmt) -> None:
        """A statement with its decorators, and the comment right above it."""
        first = min([node.lineno, *(it.lineno for it in getattr(node, "decorator_list", []))]) - 1
        while first and self.raw[self.starts[first - 1] : self.starts[first]].lstrip()[:1] == b"#":
            first -= 1
        self.spans.append((self.starts[first], self.starts[node.end_lineno or node.lineno]))

    def elements(self, node: ast.AST, elements: list[Any], away: list[Any]) -> None:
        """Elements of a display or an import, each with its comma, its parentheses, its line."""
        opening = self.starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        for place, element in enumerate(elements):
            if not any(element is each for each in away):
                continue
            start, end = self._span(element)
            while (before := self.raw[:start].rstrip()).endswith(b"(") and len(
                before
            ) - 1 > opening:
                start, end = len(before) - 1, self.raw.index(b")", end) + 1
            if (comma := re.compile(rb"\s*,").match(self.raw, end)) is not None:
                end = comma.end()
            elif place and not isinstance(node, ast.Tuple):
                start = self.raw.rindex(b",", 0, start)
            line = self.raw.rfind(b"\n", 0, start) + 1
            rest = re.compile(rb"[ \t]*(#[^\n]*)?\n").match(self.raw, end)
            if rest is not None and not self.raw[line:start].strip():
                start, end = line, rest.end()
            self.spans.append((start, end))

    def _span(self, node: Any) -> Span:
        first, last = node if isinstance(node, tuple) else (node, node)
        head = last if first is None else first
        start = self.starts[head.lineno - 1] + head.col_offset - (2 if first is None else 0)
        return start, self.starts[(last.end_lineno or 0) - 1] + (last.end_col_offset or 0)


def _outermost(spans: Iterable[Span]) -> list[Span]:
    """Each once, and none that lies in another; those that overlap become one."""
    found: list[Span] = []
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if found and start < found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found
