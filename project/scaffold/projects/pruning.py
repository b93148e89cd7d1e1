"""Python without what speaks of rooms that are left out.

An element of a list that speaks of them goes, a test that does goes as a whole, of any other
function the statements that do; and so on with whatever used what has gone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from project.scaffold.projects.cutting import Cuts
from project.scaffold.projects.reading import Display, bound, elements, is_text, texts_of

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Pruned:
    """A module without them: its source, and the names that are no longer in it."""

    source: str
    gone: set[str] = field(default_factory=set)

    @property
    def empty(self) -> bool:
        """Whether nothing is left that does anything."""
        body = ast.parse(self.source).body
        idle = (ast.Import, ast.ImportFrom, ast.Expr, ast.Assign, ast.AnnAssign)
        return all(isinstance(statement, idle) for statement in body)


def prune(source: str, words: re.Pattern[str], gone: Iterable[str] = ()) -> Pruned:
    """Take out what has these words in a name or a text, and what uses the names that are gone."""
    pruned = Pruned(source, set(gone))
    while (once := _Pruner(pruned.source, words, pruned.gone).once()) is not None:
        pruned.source = once
    return pruned


class _Pruner:
    def __init__(self, source: str, words: re.Pattern[str], gone: set[str]) -> None:
        self.source, self.words, self.gone = source, words, gone
        self.cut = Cuts(source)

    def once(self) -> str | None:
        """The source after one round, or None when there was nothing to do."""
        tree = ast.parse(self.source)
        self._body(tree.body, self.gone, whole=False)
        if not self.cut.spans:
            self._unread(tree)
        if not self.cut.spans:
            return None
        return self.cut.rest()

    def _unread(self, tree: ast.Module) -> None:
        """Variables that nobody reads any more; the linter leaves none elsewhere."""
        for function in (each for each in ast.walk(tree) if isinstance(each, Function)):
            read = {
                each.id
                for each in ast.walk(function)
                if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Store)
            }
            idle = [
                each
                for each in function.body
                if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name)
                if not {*bound(each)} & read
            ]
            if idle and all(each in idle or is_text(each) for each in function.body):
                self.cut.statement(function)
                self.gone.add(function.name)
                continue
            for each in idle:
                self.cut.statement(each)

    def _body(self, body: list[ast.stmt], gone: set[str], *, whole: bool) -> bool:
        """Prune statements; whether none is left, or one went that the rest cannot do without."""
        left = [statement for statement in body if not self._statement(statement, gone)]
        says = [each for each in left if not is_text(each)]
        returns = any(isinstance(each, ast.Return | ast.Yield) for each in body if each not in left)
        return (bool(body) and not says) or (whole and returns)

    def _statement(self, node: ast.stmt, gone: set[str]) -> bool:
        """Prune it; whether it went as a whole."""
        if is_text(node):
            self.cut.text(node, self.words)
            return False
        if not self._speaks(node, gone):
            return False
        if not self._spared(node, gone):
            self.cut.statement(node)
            gone |= set(bound(node))
            return True
        return False

    def _spared(self, node: ast.stmt, gone: set[str]) -> bool:
        """Whether it can stay when something is taken out of it."""
        match node:
            case ast.Import() | ast.ImportFrom():
                return self._aliases(node, gone)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return self._function(node, gone)
            case ast.ClassDef():
                head = [*node.bases, *node.decorator_list]
                if self._says(node.name, gone) or any(self._speaks(each, gone) for each in head):
                    return False
                return not self._body(node.body, set(gone), whole=False)
            case ast.If() | ast.For() | ast.While() | ast.With() | ast.Try():
                return self._compound(node, gone)
            case ast.Assign(targets=targets) if any(self._speaks(each, gone) for each in targets):
                return False
            case ast.AnnAssign(value=ast.List() | ast.Set() | ast.Dict() as value):
                self._display(value, gone, emptied=True)
                return not self._speaks(node.target, gone)
            case ast.AnnAssign(target=target) | ast.AugAssign(target=target) if self._speaks(
                target, gone
            ):
                return False
            case _:
                return self._inside(node, gone)

    def _compound(self, node: ast.stmt, gone: set[str]) -> bool:
        bodies = [getattr(node, name, []) for name in ("body", "orelse", "finalbody")]
        inside = {id(each) for body in bodies for each in body}
        head = [each for each in ast.iter_child_nodes(node) if id(each) not in inside]
        mark = len(self.cut.spans)
        if any(self._speaks(each, gone) and not self._inside(each, gone) for each in head):
            del self.cut.spans[mark:]
            return False
        return not any(body and self._body(body, gone, whole=True) for body in bodies)

    def _aliases(self, node: ast.Import | ast.ImportFrom, gone: set[str]) -> bool:
        module = getattr(node, "module", "") or ""
        away = [each for each in node.names if self._says(each.asname or each.name, gone)]
        away = [*node.names] if self._says(module, set()) else away
        away += [each for each in node.names if each not in away and self._says(each.name, set())]
        if len(away) == len(node.names):
            return False
        self.cut.elements(node, node.names, away)
        gone |= {each.asname or each.name for each in away}
        return True

    def _function(self, node: Function, gone: set[str]) -> bool:
        parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        if self._says(node.name, gone) or any(self._says(each.arg, gone) for each in parameters):
            return False
        outer = gone - {each.arg for each in parameters}
        for decorator in node.decorator_list:
            if self._speaks(decorator, outer) and not self._inside(decorator, outer):
                return False
        heads = [*node.args.defaults, *node.args.kw_defaults, *parameters, node.returns]
        if any(head is not None and self._speaks(head, outer) for head in heads):
            return False
        if node.name.startswith("test_"):
            return not any(self._speaks(each, outer) for each in node.body if not is_text(each))
        return not self._body(node.body, set(outer), whole=True)

    def _inside(self, node: ast.AST, gone: set[str]) -> bool:
        """Take elements out of the displays in it; whether nothing that speaks is left then."""
        mark = len(self.cut.spans)
        if self._without(node, gone):
            return True
        del self.cut.spans[mark:]
        return False

    def _without(self, node: ast.AST, gone: set[str]) -> bool:
        if not self._speaks(node, gone):
            return True
        if isinstance(node, Display):
            return self._display(node, gone)
        if isinstance(node, ast.Constant | ast.Name | ast.Attribute | ast.JoinedStr | ast.arg):
            return False
        if isinstance(node, ast.keyword) and self._says(node.arg or "", gone):
            return False
        if isinstance(node, ast.Call) and not all(
            isinstance(each, Display | ast.Call | ast.Starred) or not self._speaks(each, gone)
            for each in node.args
        ):
            return False
        return all(self._without(each, gone) for each in ast.iter_child_nodes(node))

    def _display(self, node: Display, gone: set[str], *, emptied: bool = False) -> bool:
        """Prune a collection; whether it can stay, which one of a known type can emptied too."""
        found = elements(node)
        away = [each for each in found if not self._element(each, gone)]
        if len(away) == len(found) and not emptied:
            return False
        self.cut.elements(node, found, away)
        return True

    def _element(self, element: Any, gone: set[str]) -> bool:
        """Prune an element of a collection; whether it stays."""
        key, value = element if isinstance(element, tuple) else (None, element)
        if key is not None and self._speaks(key, gone):
            return False
        if isinstance(value, ast.Starred):
            value = value.value
        elif isinstance(value, ast.Tuple):  # a record, which is whole or not at all
            return not self._speaks(value, gone)
        collection = isinstance(value, Display) and bool(elements(value))
        return self._inside(value, gone) if collection else not self._speaks(value, gone)

    def _speaks(self, node: ast.AST, gone: set[str]) -> bool:
        return any(
            self.words.search(text) or (is_name and text in gone)
            for text, is_name in texts_of(node)
        )

    def _says(self, text: str, gone: set[str]) -> bool:
        return text in gone or self.words.search(text) is not None
