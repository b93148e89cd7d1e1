"""What workers do for events."""

from __future__ import annotations

from project.events import service
from project.jobs import chore


@chore(seconds=3600)
def purge() -> bool:
    """Delete old ones."""
    service.settle()
    return service.purge() == service.PORTION
