"""What Schemathesis cannot know of this API by itself."""

from __future__ import annotations

from itertools import count
from typing import Any

import schemathesis

DOMAIN = {"duplicate_name", "insufficient_stock", "stock_limit", "stale_version"}
numbers = count(1)


@schemathesis.check
def valid_data_is_refused_by_a_rule_only(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """Well-formed requests are refused for what is stored, or for a cursor that was made up."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.status_code in (400, 412, 422):
        problem = response.json()
        fields = {wrong["field"] for wrong in problem.get("errors", [])}
        assert problem["code"] in DOMAIN or fields == {"cursor"}, problem


@schemathesis.hook
def before_call(
    context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]
) -> None:
    """The name in the examples is free only once; a fresh one lets the other fields be judged."""
    if isinstance(case.body, dict) and case.body.get("name") == "Desk lamp":
        case.body = {**case.body, "name": f"Desk lamp {next(numbers)}"}
