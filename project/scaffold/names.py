"""What a resource is called: one of them, many of them, and in code."""

from __future__ import annotations

import builtins
import keyword
import re
from dataclasses import dataclass

from sqlalchemy.dialects.postgresql.base import RESERVED_WORDS

from project.commands import printable
from project.errors import Refused

LONGEST = 30
WORDS = re.compile("[a-z]{2,}(_[a-z]{2,})*")
IRREGULAR = {
    "child": "children",
    "datum": "data",
    "foot": "feet",
    "half": "halves",
    "hero": "heroes",
    "knife": "knives",
    "leaf": "leaves",
    "man": "men",
    "medium": "media",
    "mouse": "mice",
    "person": "people",
    "potato": "potatoes",
    "quiz": "quizzes",
    "shelf": "shelves",
    "tooth": "teeth",
    "wolf": "wolves",
    "woman": "women",
}
ALIKE = {"equipment", "fish", "news", "series", "sheep", "species", "staff"}


@dataclass(frozen=True)
class Names:
    """`purchase_order` and `purchase_orders`, and what follows from them."""

    one: str
    many: str

    @property
    def model(self) -> str:
        """`PurchaseOrder`."""
        return "".join(word.capitalize() for word in self.one.split("_"))

    @property
    def words(self) -> str:
        """`purchase order`."""
        return self.one.replace("_", " ")

    @property
    def plural(self) -> str:
        """`purchase orders`."""
        return self.many.replace("_", " ")

    @property
    def a(self) -> str:
        """`a purchase order`."""
        return f"{'an' if self.one[0] in 'aeiou' else 'a'} {self.words}"

    @property
    def title(self) -> str:
        """`Purchase order`."""
        return self.words.capitalize()

    @property
    def address(self) -> str:
        """`/api/v1/purchase-orders`."""
        return f"/api/v1/{self.many.replace('_', '-')}"


def shown(given: str, most: int = 60) -> str:
    """What somebody typed, as a terminal can show it."""
    cut = given if len(given) <= most else f"{given[:most]}…"
    return printable(cut.encode(errors="backslashreplace").decode())


def names(one: str, many: str | None = None) -> Names:
    """The names of a resource; raises Refused for what cannot be one."""
    many = plural(one) if many is None else many
    for given, most in ((one, LONGEST), (many, LONGEST + len("es"))):
        said = f"'{shown(given)}' cannot name a resource"
        if not WORDS.fullmatch(given):
            raise Refused(
                f"{said}: write words of two or more letters a-z joined by _, as purchase_order."
            )
        if len(given) > most:
            raise Refused(f"{said}: a name has at most {most} letters, this one {len(given)}.")
        if keyword.iskeyword(given):
            raise Refused(f"{said}: it is a word of Python; choose another.")
    if many in RESERVED_WORDS:
        raise Refused(f"'{many}' cannot name a table: it is a word of SQL; choose a --plural.")
    if hasattr(builtins, many):
        raise Refused(f"'{many}' cannot name a room: Python's own {many} is called so; --plural.")
    found = Names(one, many)
    if hasattr(builtins, found.model):
        raise Refused(
            f"'{one}' cannot name a resource: Python has a {found.model}; choose another."
        )
    return found


def plural(one: str) -> str:
    """Many of them, by the rules of English; `--plural` says what they do not know."""
    before, joint, last = one.rpartition("_")
    if last in ALIKE:
        return one
    if last in IRREGULAR:
        return f"{before}{joint}{IRREGULAR[last]}"
    if re.search("[^aeiou]y$", one):
        return f"{one[:-1]}ies"
    if one.endswith("sis"):
        return f"{one[:-2]}es"
    return f"{one}es" if re.search("(s|x|z|ch|sh)$", one) else f"{one}s"
