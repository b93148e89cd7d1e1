"""The application with tasks to try, for tests and for the processes that they start.

Their effects are lines of the table `effects`, which the tests make.
"""

from __future__ import annotations

import os
import time
from typing import Any

from flask import request
from sqlalchemy import text

from config import Config
from project import create_app, origin
from project.db import db
from project.errors import Refused
from project.http.app import App
from project.jobs import TryAgain, enqueue, progress, task

TABLE = "CREATE TABLE IF NOT EXISTS effects (id serial PRIMARY KEY, told text, actor text)"
WRITE = text("INSERT INTO effects (told, actor) VALUES (:told, :actor)")


TELL = "laboratory.tell"


@task(TELL, waits=(0,) * 9)
def tell(told: str, seconds: float = 0) -> dict[str, Any]:
    db.session.execute(WRITE, {"told": told, "actor": origin.current().actor_name})
    time.sleep(seconds)
    return {"told": told}


@task("laboratory.tell_later", priority=-1)
def tell_later(told: str) -> None:
    tell(told)


@task("laboratory.refuse")
def refuse(told: str) -> None:
    tell(told)
    raise Refused("This cannot be done.")


@task("laboratory.break", waits=(0, 0))
def break_(told: str) -> None:
    tell(told)
    raise RuntimeError("a secret")


@task("laboratory.come_again", waits=(0, 3600))
def come_again() -> None:
    raise TryAgain("The other side is away.")


@task("laboratory.pass_on")
def pass_on(told: str, fail: bool) -> None:
    """A job that asks for another."""
    enqueue("laboratory.tell", told=told)
    if fail:
        raise Refused("No.")


@task("laboratory.advance")
def advance(told: str) -> None:
    tell(told)
    progress(40)
    time.sleep(1)


@task("laboratory.outside", outside=True, waits=(0,))
def outside() -> str:
    assert not db.session().in_transaction()
    return "done"


def create(config: Config) -> App:
    """The application with an address that asks for a job, and may then refuse or be slow."""
    app = create_app(config)

    @app.post("/ask")
    def ask() -> str:
        job = enqueue(request.args.get("task", TELL), told=request.args["told"])
        if "refuse" in request.args:
            raise Refused("No.")
        return str(job.id)

    return app


app = create(Config.from_env()) if os.environ.get("LABORATORY") else None
