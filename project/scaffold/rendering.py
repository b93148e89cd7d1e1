"""The files of a room, rendered from templates."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from project.errors import Refused
from project.scaffold import layout
from project.scaffold.kinds import literal
from project.scaffold.resource import Resource

CODE = ("__init__", "models", "schemas", "service", "routes")
TESTS = ("__init__", "make", "test_routes", "test_service")
FILES = {
    **{f"project/{{}}/{name}.py": f"{name}.py.jinja" for name in CODE},
    **{f"tests/{{}}/{name}.py": f"tests_{name}.py.jinja" for name in TESTS},
}


def render(resource: Resource) -> dict[str, str]:
    """Each file of the room by its place; raises Refused where a field is called like an import."""
    templates = _environment()
    found = {
        place.format(resource.names.many): layout.tidy(
            templates.get_template(template).render(it=resource, names=resource.names)
        )
        for place, template in FILES.items()
    }
    for place, source in found.items():
        _judge(resource, place, source)
    return found


def places(many: str) -> list[str]:
    """Where the files of a room are."""
    return [place.format(many) for place in FILES]


def _judge(resource: Resource, place: str, source: str) -> None:
    """No name means two things, and in a class no field hides what is imported by its name."""
    known = layout.names(source)
    for name, count in known.items():
        if count > 1:
            raise Refused(f"{place} would have two things called {name}; choose another name.")
    for field in resource.fields:
        if field.column in known and place.startswith("project/"):
            said = f"'{field.column}' cannot name this field: {place} imports a {field.column}"
            raise Refused(f"{said}; choose another.")


def _environment() -> Environment:
    environment = Environment(  # nosec B701
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Python is written, not HTML
    )
    environment.filters |= {"literal": literal, "wrapped": _wrapped, "listed": _listed}
    return environment


def _wrapped(text: str) -> str:
    """A long line of words as several."""
    lines = wrap(text, 96, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


def _listed(values: Any) -> str:
    """The source of each, in brackets, as a list."""
    return f"[{', '.join(values)}]"
