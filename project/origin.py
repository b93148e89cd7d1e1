"""Who acts, and under which request id: known at the boundary, kept by whatever writes history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from ulid import ULID


@dataclass(frozen=True)
class Origin:
    """Where a change comes from; a command has no actor."""

    request_id: str
    actor_id: int | None = None
    actor_name: str | None = None


@dataclass(frozen=True)
class Claim:
    """Who says to act, in which session: it is to be confirmed before anything is kept.

    confirm: asks the database, and lets the user act; raises for one who may not.
    """

    user_id: int
    session_id: int
    confirm: Callable[[], object]


_origin: ContextVar[Origin | None] = ContextVar("origin", default=None)
_claim: ContextVar[Claim | None] = ContextVar("claim", default=None)


def enter(request_id: str | None = None) -> None:
    """From here on all is done under this request id, in the log too; None makes a new one."""
    _origin.set(Origin(request_id or str(ULID())))
    _claim.set(None)


def entered() -> str | None:
    """Under which request id, if something is done under any."""
    origin = _origin.get()
    return None if origin is None else origin.request_id


def leave() -> None:
    """From here on nothing is done under any request id."""
    _origin.set(None)
    _claim.set(None)


def act(id: int, name: str) -> None:
    """From here on this user acts."""
    _claim.set(None)
    _origin.set(Origin(_here().request_id, id, name))


def claim(claim: Claim) -> None:
    """From here on this user acts, if a statement confirms it, or else who asks for the actor."""
    _claim.set(claim)


def claimed() -> Claim | None:
    """Who says to act, as long as nothing has confirmed it."""
    return _claim.get()


def confirm() -> None:
    """Have the claim, if there is one, confirmed; what is not true is said once."""
    if (claim := _claim.get()) is not None:
        _claim.set(None)
        claim.confirm()


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
    confirm()
    return _here()


def request_id() -> str:
    """Under which request id, whoever acts."""
    return _here().request_id


def _here() -> Origin:
    if (origin := _origin.get()) is None:
        origin = Origin(str(ULID()))
        _origin.set(origin)
    return origin
