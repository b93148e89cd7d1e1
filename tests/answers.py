"""Answers as tests read them."""

from __future__ import annotations

from typing import Any

from werkzeug.test import TestResponse

TELLING: list[str] = ["batch_refused"]  # refusals beside 422 that name what is wrong with each part


def document(answer: TestResponse, status: int = 200) -> dict[str, Any]:
    """The document answered with this status."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/json"
    return dict(answer.json or {})


def problem(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """The refusal answered: whole, in one shape, and this one."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    found = dict(answer.json or {})
    assert (found["code"], found["status"]) == (code, status), found
    assert found["request_id"] == answer.headers["X-Request-Id"]
    assert len(found["detail"]) < 500
    assert ("errors" in found) == (status == 422 or code in TELLING)
    return found


def replayed(again: TestResponse, first: TestResponse) -> None:
    """The first answer came again, byte for byte, and says so."""
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers.get("Idempotent-Replayed") == "true", again.text
    assert (again.status_code, again.data) == (first.status_code, first.data)
    own = {"X-Request-Id", "Idempotent-Replayed"}
    ours, theirs = (
        {name: value for name, value in answer.headers.items() if name not in own}
        for answer in (again, first)
    )
    assert ours == theirs
