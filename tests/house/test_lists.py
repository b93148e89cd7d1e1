"""Every list can be walked by cursor in every order that it says it has."""

from __future__ import annotations

import re
from typing import Any

from tests.house.world import World


def orders(operation: dict[str, Any]) -> list[str]:
    """What the document says it can be sorted by, both ways."""
    sort = [each["schema"] for each in operation["parameters"] if each["name"] == "sort"]
    found = sort and re.search(r"-\?\(([a-z0-9_|]+)\)", sort[0]["pattern"])
    return [sign + name for name in found[1].split("|") for sign in ("", "-")] if found else []


def walked(world: World, operation: str, sort: str) -> list[Any]:
    """All rows, a page of one after the other."""
    query: dict[str, Any] = {"sort": sort, "limit": 1}
    rows: list[Any] = []
    while True:
        page = world.call(operation, query_string=query).json
        assert page is not None
        rows += page["items"]
        if page["next_cursor"] is None:
            return rows
        query["cursor"] = page["next_cursor"]


def test_every_list_is_walked_by_cursor_in_every_order(world: World) -> None:
    lists = {
        name: orders(operation)
        for name, operation in world.operations.items()
        if not any(each["in"] == "query" and each["required"] for each in operation["parameters"])
    }
    assert len(lists["list_users"]) == 10
    for name, sorts in lists.items():
        for sort in sorts:
            whole = world.call(name, query_string={"sort": sort, "limit": 100}).json
            assert whole is not None
            assert walked(world, name, sort) == whole["items"], (name, sort)
