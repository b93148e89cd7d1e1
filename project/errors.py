"""The family of refusals: what a service raises when the answer is no.

No HTTP word stands here; `http/problems.py` holds the one table from family to status.
"""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """A no, in one sentence for a person, with a stable code and members for programs."""

    code = "refused"
    sentence = ""
    keeps = False  # whether what was written before it stays; otherwise raising rolls back

    def __init__(
        self, sentence: str | None = None, *, code: str | None = None, **members: Any
    ) -> None:
        self.sentence = sentence or self.sentence
        super().__init__(self.sentence)
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
    sentence = "Sign in: send Authorization: Bearer and an access token that is still valid."


class Forbidden(Refusal):
    """Somebody we know, who may not."""

    code = "forbidden"


class OnlySuperusers(Forbidden):
    """What only those may do who keep the house."""

    sentence = "Only a superuser may do this."


class NotFound(Refusal):
    """There is no such thing, or not for this caller."""

    code = "not_found"


class Conflict(Refusal):
    """The state of things does not allow it now."""

    code = "conflict"


class InUse(Conflict):
    """What others refer to cannot be deleted."""

    code = "in_use"
    sentence = "Others still refer to it; change or delete those first."


class Stale(Refusal):
    """Somebody else was faster: the version asked for is no longer the current one."""

    code = "stale_version"


class TooMany(Refusal):
    """More than the limit of this name allows: `limit` of `what` in `window` seconds."""

    code = "rate_limited"

    def __init__(self, what: str, name: str, limit: int, window: int, retry_after: int) -> None:
        allowed, wait = f"{limit} in {_duration(window)}", _duration(retry_after)
        super().__init__(f"Too many {what} (the limit is {allowed}); try again in {wait}.")
        self.name, self.limit, self.window, self.retry_after = name, limit, window, retry_after


class Unavailable(Refusal):
    """The database is away or busy; the same request may succeed in `retry_after` seconds."""

    code = "unavailable"
    retry_after = 1


class Contended(Unavailable):
    """Others were in the way and nothing was done: whoever begins anew may get through."""

    code = "busy"
    sentence = "The database is busy; try again."


class Bug(Refusal):
    """What nobody foresaw."""

    code = "internal_error"


def _duration(seconds: int) -> str:
    """In the unit a person counts in, and rather too long than too short."""
    units = {"day": 86_400, "hour": 3_600, "minute": 60}
    fitting = (unit for unit, size in units.items() if seconds == size or seconds >= 2 * size)
    unit = next(fitting, "second")
    number = -(-seconds // units.get(unit, 1))
    return f"{number} {unit}{'' if number == 1 else 's'}"


def _summary(errors: list[dict[str, Any]]) -> str:
    first = errors[0]
    where = f"{first['field']}: " if first["field"] else ""
    rest = f" ({len(errors) - 1} more in errors.)" if len(errors) > 1 else ""
    return f"{where}{first['message']}{rest}"
