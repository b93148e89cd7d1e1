"""What workers do for mail."""

from __future__ import annotations

from typing import Any

from project import mail
from project.jobs import task


@task("mail.send", waits=mail.WAITS, outside=True)
def send(template: str, to: str, context: dict[str, Any]) -> None:
    """Send a mail to an address that whoever asked for it knew."""
    mail.deliver(template, to=to, **context)
