"""What stands in Python: texts, names, and the names that a statement gives."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

Display = ast.List | ast.Tuple | ast.Set | ast.Dict


def elements(node: Display) -> list[Any]:
    """What it holds; of a dict each key with its value."""
    return [*zip(node.keys, node.values, strict=True)] if isinstance(node, ast.Dict) else node.elts


def is_text(node: ast.stmt) -> bool:
    """Whether it is nothing but a text, as a docstring."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def texts_of(node: ast.AST) -> Iterator[tuple[str, bool]]:
    """Every name and every text in it, and whether it stands for something of the module."""
    texts = {
        id(each.value) for each in ast.walk(node) if isinstance(each, ast.Expr) and is_text(each)
    }
    for each in ast.walk(node):
        match each:
            case ast.Name(id=text) | ast.arg(arg=text):
                yield text, True
            case ast.Call(func=ast.Attribute(attr="usefixtures"), args=fixtures):
                yield from ((str(getattr(each, "value", "")), True) for each in fixtures)
            case ast.alias(name=name, asname=asname):
                yield from ((name, True), (asname or name, True))
            case ast.FunctionDef(name=text) | ast.ClassDef(name=text) | ast.Attribute(attr=text):
                yield text, False
            case ast.keyword(arg=str(text)) | ast.ImportFrom(module=str(text)):
                yield text, False
            case ast.Constant(value=str(text)) if id(each) not in texts:
                yield text, False
            case ast.Constant(value=bytes(raw)):
                yield raw.decode(errors="replace"), False


def bound(node: ast.stmt) -> Iterator[str]:
    """The names that a statement gives."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AugAssign):
        return
    inner = {
        id(name)
        for each in ast.walk(node)
        if isinstance(each, ast.comprehension)
        for name in ast.walk(each.target)
    }
    for each in ast.walk(node):
        match each:
            case ast.Name(id=name, ctx=ast.Store()) if id(each) not in inner:
                yield name
            case ast.alias(name=name, asname=asname):
                yield asname or name
