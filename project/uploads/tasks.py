"""Nobody comes for some files: their job failed for good, or was forgotten."""

from __future__ import annotations

from project.jobs import chore
from project.uploads import service


@chore(seconds=600)
def sweep() -> bool:
    """Forget files whose time is over."""
    return service.sweep_expired() > 0
