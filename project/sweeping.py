"""What has expired is swept away by workers: sessions, tokens that were mailed, kept answers."""

from __future__ import annotations

from project.http.idempotency import keys
from project.jobs import chore
from project.sessions import service as sessions
from project.users import credentials


@chore(seconds=3600)
def sweep() -> bool:
    """Delete a portion of each, and say whether there may be more."""
    answers = keys.purge() == keys.PORTION
    return any([answers, sessions.sweep_expired(), credentials.sweep_resets()])
