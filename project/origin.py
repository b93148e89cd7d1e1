"""Who acts, and under which request id: known at the boundary, kept by whatever writes history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

import structlog
from ulid import ULID


@dataclass(frozen=True)
class Origin:
    """Where a change comes from; a command has no actor."""

    request_id: str
    actor_id: int | None = None
    actor_name: str | None = None


_origin: ContextVar[Origin] = ContextVar("origin")


def enter(request_id: str | None = None) -> None:
    """From here on all is done under this request id, in the log too; None makes a new one."""
    origin = Origin(request_id or str(ULID()))
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=origin.request_id)
    _origin.set(origin)


def act(id: int, name: str) -> None:
    """From here on this user acts."""
    _origin.set(replace(current(), actor_id=id, actor_name=name))


@contextmanager
def nobody() -> Iterator[None]:
    """What is asked for inside is nobody's: who asks for it must not learn what came of it."""
    acting = _origin.set(Origin(current().request_id))
    try:
        yield
    finally:
        _origin.reset(acting)


def current() -> Origin:
    """Where what is done now comes from."""
    if _origin.get(None) is None:
        enter()
    return _origin.get()
