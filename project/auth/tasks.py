"""What workers do for those who lost their passwords."""

from __future__ import annotations

from flask import current_app

from project import mail
from project.db import transaction
from project.jobs import task
from project.users import credentials


@task("auth.send_reset", waits=mail.WAITS, outside=True)
def send_reset(email: str) -> None:
    """Mail a token to this address, if an active user has it.

    It is made here, so that it stands in no job; every attempt makes its own.
    """
    with transaction():
        begun = credentials.begin_reset(email)
        if begun is None:
            return
        user, token = begun
        to, username = user.email, user.username
    page = current_app.config["RESET_URL"].replace("{token}", token)
    try:
        mail.deliver("reset", to=to, username=username, token=token, page=page)
    except mail.Unanswered:
        raise  # the mail may have arrived, and shall be good for something
    except mail.Undelivered:
        with transaction():
            credentials.abandon_reset(token)
        raise
