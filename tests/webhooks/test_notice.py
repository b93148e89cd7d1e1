"""Who made a webhook hears by mail that it was disabled."""

from __future__ import annotations

from typing import Any

import pytest

from project.db import announce, transaction
from project.http.app import App
from project.webhooks.dispatch import dispatch
from tests.letters import mailed, read
from tests.users.make import make_user
from tests.webhooks.make import make_webhook
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.usefixtures("context")


def end(receiver: Receiver, **creator: Any) -> int:
    """A webhook, made by a superuser but for what is said, whose endpoint is gone."""
    receiver.answers = [410]
    with transaction():
        ada = make_user(**{"email": "ada@example.org", "is_superuser": True, **creator})
        id = make_webhook(url=receiver.url, description="Orders <lamps>", creator_id=ada.id).id
    with transaction():
        announce("lamp.low")
    with transaction():
        dispatch()
    return id


def test_it_is_told_once_with_what_can_be_done(app: App, receiver: Receiver) -> None:
    id = end(receiver)
    [mail] = mailed(app)
    assert (mail["To"], mail["Subject"]) == ("ada@example.org", "A webhook was disabled")
    assert f"Webhook {id} (Orders <lamps>), which you made, is disabled now" in read(mail)
    assert "410 Gone" in read(mail)
    assert f"PATCH /api/v1/webhooks/{id}" in read(mail)
    assert "(Orders &lt;lamps&gt;)" in read(mail, "html")
    assert receiver.url not in read(mail)  # which may hold a secret
    assert mailed(app) == []


@pytest.mark.parametrize("creator", [{"is_active": False}, {"is_superuser": False}])
def test_who_cannot_do_anything_about_it_is_told_nothing(
    app: App, receiver: Receiver, creator: dict[str, bool]
) -> None:
    end(receiver, **creator)
    assert mailed(app) == []
