"""The family of refusals: what a service raises when the answer is no.

No HTTP word stands here; `http/problems.py` holds the one table from family to status.
"""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """A no, in one sentence for a person, with a stable code and members for programs."""

    code = "refused"

    def __init__(self, sentence: str, *, code: str | None = None, **members: Any) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code or self.code
        self.members = members


class Refused(Refusal):
    """A rule of the house or of the database says no."""


class Invalid(Refusal):
    """Fields that do not validate: `errors` holds one entry per field."""

    code = "invalid_fields"

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(_summary(errors), errors=errors)


class Unauthorized(Refusal):
    """Nobody we know, or no longer."""

    code = "unauthorized"


class Forbidden(Refusal):
    """Somebody we know, who may not."""

    code = "forbidden"


class NotFound(Refusal):
    """There is no such thing, or not for this caller."""

    code = "not_found"


class Conflict(Refusal):
    """The state of things does not allow it now."""

    code = "conflict"


class Stale(Refusal):
    """Somebody else was faster: the version asked for is no longer the current one."""

    code = "stale_version"


class Unavailable(Refusal):
    """The database is away or busy; the same request may succeed in `retry_after` seconds."""

    code = "unavailable"
    retry_after = 1


class Bug(Refusal):
    """What nobody foresaw."""

    code = "internal_error"


def _summary(errors: list[dict[str, Any]]) -> str:
    first = errors[0]
    where = f"{first['field']}: " if first["field"] else ""
    rest = f" ({len(errors) - 1} more in errors.)" if len(errors) > 1 else ""
    return f"{where}{first['message']}{rest}"
