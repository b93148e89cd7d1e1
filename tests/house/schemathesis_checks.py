"""What Schemathesis cannot know of this API by itself."""

from __future__ import annotations

import schemathesis

DOMAIN = {"duplicate_name", "insufficient_stock", "stock_limit", "stale_version"}


@schemathesis.check
def valid_data_is_refused_by_a_rule_only(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """Well-formed requests are refused for what is stored, or for a cursor that was made up."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.status_code in (400, 412, 422):
        problem = response.json()
        fields = {wrong["field"] for wrong in problem.get("errors", [])}
        assert problem["code"] in DOMAIN or fields == {"cursor"}, problem
