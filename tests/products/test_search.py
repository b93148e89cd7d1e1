"""Search by an index finds what looking at each name finds, for terms of every length."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Select, func, select, text

from project.db import db
from project.products import service
from project.products.models import Product

pytestmark = pytest.mark.usefixtures("context")

ALPHABETS = [
    "abcABC xyz",
    "\u0130stanbul k",  # of which pg_trgm finds less than there is, unless it is lower case
    "aA5-_. %\\'\"(",
    "iI\u0130\u0131\u017fK\u212ak\u00df\u1e9esS\u03a3\u03c3\u03c2",  # lower case that is odd
    "äöüÄÖÜéÉøØñÑ",
    "ae\u0301\u0308\u0327\u200d\ufe0f",
    "кружкаКРУЖ",
    "鉛筆削り机",
    "😀😃🏳👩🏽\u200d\ufe0f",
    "a\t\n\x01\x1f\x7f\x85\u00a0\u2028b",
    "\ufffd\uffff\U0010ffff\ue000\uff21\uff41①½",
    "\u05d4\u05dd\u0627\u0639\u05e9\u05c1",
]
FOLDS = (str.lower, str.upper, str.title, str.swapcase)


def names(chance: random.Random) -> set[str]:
    """Of one alphabet each, or of all: 2,000 or so."""
    alphabets = [*ALPHABETS, "".join(ALPHABETS)] * 160
    return {"".join(chance.choices(each, k=chance.randint(1, 14))) for each in alphabets}


def terms(chance: random.Random, given: list[str]) -> Iterator[str]:
    """Parts of names, as they are or in another case, and what is perhaps in none."""
    for each in chance.sample(given, 700):
        start = chance.randrange(len(each))
        part = each[start : start + chance.randint(1, 5)]
        yield part
        yield chance.choice(FOLDS)(part)
    for _ in range(300):
        yield "".join(chance.choices("".join(ALPHABETS), k=chance.randint(1, 3)))


def looked_at(term: str) -> Select[Any]:
    literal = "".join(f"\\{letter}" if letter in "\\%_" else letter for letter in term)
    return select(Product).where(Product.name.ilike(f"%{literal}%"))


def ids(found: Select[Any]) -> Any:
    in_order = func.array_agg(Product.id.distinct())
    return db.session.scalar(found.with_only_columns(in_order))


@pytest.mark.parametrize("way", ["seqscan", "bitmapscan"])
def test_every_term_finds_what_ilike_finds(way: str) -> None:
    chance = random.Random(7)
    given = sorted(names(chance))
    new = "INSERT INTO products (name, price) SELECT unnest(CAST(:names AS text[])), 1"
    db.session.execute(text(new), {"names": given})
    asked = {term: ids(looked_at(term)) for term in sorted(set(terms(chance, given)))}
    assert sum(found is not None for found in asked.values()) > 500
    # the other way is the only one left
    db.session.execute(text(f"SET LOCAL enable_{way} = off; SET LOCAL enable_indexscan = off"))
    for term, found in asked.items():
        assert ids(service.search(q=term)) == found, ascii(term)


@pytest.fixture
def catalogue(context: None) -> None:
    """Five thousand lamps, with statistics; one of them is odd."""
    new = (
        "INSERT INTO products (name, price)"
        " SELECT 'Lamp ' || chr(97 + i % 8) || i, 1 FROM generate_series(1, 5000) i"
    )
    db.session.execute(text(new))
    db.session.execute(text("UPDATE products SET name = 'Q-ß lamp' WHERE name = 'Lamp a4000'"))
    db.session.execute(text("SELECT gin_clean_pending_list('ix_products_ngrams')"))
    db.session.execute(text("ANALYZE products"))


def plan(term: str) -> str:
    page = service.search(q=term).order_by(Product.id).limit(20)
    compiled = page.compile(db.engine, compile_kwargs={"literal_binds": True})
    explained = db.session.connection().exec_driver_sql(f"EXPLAIN {compiled}")
    return "\n".join(explained.scalars())


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize("term", ["ß", "Q-", "-ß", "ß l", "zq", "q-ß", "  "])
def test_what_is_rare_is_looked_up(term: str) -> None:
    assert "ix_products_ngrams" in plan(term)


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize("term", ["a", "la", "p ", "1"])
def test_what_is_common_is_met_on_the_way(term: str) -> None:
    """A page of twenty is full before an index has found all."""
    assert "Index Scan using pk_products" in plan(term)
