"""What a resource may be called, and how many of them are."""

from __future__ import annotations

import pytest

from project.errors import Refused
from project.scaffold.names import names, plural


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("supplier", "suppliers"),
        ("category", "categories"),
        ("day", "days"),
        ("box", "boxes"),
        ("match", "matches"),
        ("address", "addresses"),
        ("analysis", "analyses"),
        ("sheep", "sheep"),
        ("person", "people"),
        ("sales_person", "sales_people"),
        ("purchase_order", "purchase_orders"),
        ("status", "statuses"),
    ],
)
def test_many_are_called_as_in_english(one: str, many: str) -> None:
    assert plural(one) == many


def test_names_follow_from_the_two_that_are_given() -> None:
    found = names("purchase_order")
    assert (found.model, found.words, found.plural) == (
        "PurchaseOrder",
        "purchase order",
        "purchase orders",
    )
    assert (found.a, found.title) == ("a purchase order", "Purchase order")
    assert found.address == "/api/v1/purchase-orders"
    assert names("invoice").a == "an invoice"
    assert names("ox", "oxen").many == "oxen"


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "Supplier", "purchaseOrder", "purchase-order", "purchase order", "a", "x_ray"),
        *("../etc", "/etc/passwd", "a/b", "sup.plier", "supplier'", 'sup"plier', "sup`plier"),
        *("; drop table users", "supplier;", "$(id)", "{{ it }}", "{% raw %}", "%s", "sup\nplier"),
        *("übung", "поставщик", "sup\u0440lier", "ﬁsh", "🐑", "sup\udcffplier", "\x1b[31m", "\0"),
        *("_supplier", "supplier_", "sup__plier", "__init__", "mp3_file", "a" * 31, "ab_" * 20),
        *("class", "import", "lambda", "none" * 50, "exception", "warning"),
    ],
    ids=ascii,
)
def test_what_is_no_name_is_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(Refused) as caught:
        names(name)
    assert caught.value.sentence.isprintable()
    assert len(caught.value.sentence) < 200


@pytest.mark.parametrize("many", ["user", "select", "list", "class", "Oxen", "ox en", "o" * 33])
def test_what_cannot_name_many_is_refused(many: str) -> None:
    with pytest.raises(Refused):
        names("ox", many)
