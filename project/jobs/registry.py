"""What a worker can do: tasks that are queued, and chores that come round by themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from project.errors import Refusal, Unavailable

WAITS = (5, 30, 180, 900)  # seconds before each further attempt

Work = TypeVar("Work", bound=Callable[..., Any])


class TryAgain(Refusal):
    """It could not be done now: the job is tried again, and this sentence tells why so far."""

    code = "try_again"


@dataclass(frozen=True)
class Task:
    """Work that is queued by its name.

    waits: seconds before each further attempt; when they are used up the job has failed for good.
    outside: it speaks to other machines, so no transaction is open around it, and a crash may make
    it run again; any other has its effects once.
    priority: what has more is begun first.
    """

    name: str
    work: Callable[..., Any]
    waits: Sequence[int]
    outside: bool
    priority: int = 0

    def wait(self, error: BaseException, attempts: int) -> int | None:
        """Seconds before the next attempt, when so many failed before this one; None if there is
        none: what a rule refuses is refused the next time too.
        """
        final = isinstance(error, Refusal) and not isinstance(error, TryAgain | Unavailable)
        return None if final or attempts >= len(self.waits) else self.waits[attempts]


@dataclass(frozen=True)
class Chore:
    """Work that every worker does again so many seconds after it was done; at once if there is
    more, which it says by True.
    """

    work: Callable[[], bool | None]
    seconds: float


TASKS: dict[str, Task] = {}
CHORES: list[Chore] = []


def task(
    name: str, *, waits: Sequence[int] = WAITS, outside: bool = False, priority: int = 0
) -> Callable[[Work], Work]:
    """Make a function a task: arguments and result are JSON. See Task.

    It runs in its own transaction, as whoever enqueued it and under the same request id. A
    refusal ends it; TryAgain and all that nobody foresaw make it come again.
    """

    def register(work: Work) -> Work:
        assert name not in TASKS, name
        TASKS[name] = Task(name, work, waits, outside, priority)
        return work

    return register


def chore(*, seconds: float) -> Callable[[Work], Work]:
    """Make a function a chore, done in its own transaction: two workers may be at it at once."""

    def register(work: Work) -> Work:
        CHORES.append(Chore(work, seconds))
        return work

    return register
