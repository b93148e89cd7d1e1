"""What can be done with webhooks. Their addresses are in no log: some hold a secret themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Select, case, func, null, select

from project.db import Lookup, db, note, remove, revise, save
from project.errors import Invalid
from project.users.models import User
from project.webhooks import keys
from project.webhooks.addresses import NotPublic, judge_url
from project.webhooks.models import Webhook

SORTABLE: dict[str, Any] = {
    "id": Webhook.id,
    "created_at": Webhook.created_at,
    "updated_at": Webhook.updated_at,
}


def search(is_active: bool | None = None) -> Select[Webhook]:
    """All webhooks, or only those that are active, or not."""
    found = select(Webhook)
    return found if is_active is None else found.where(Webhook.is_active == is_active)


def find(id: int) -> Lookup[Webhook]:
    """A webhook."""
    return Lookup(Webhook, id)


def create(values: Mapping[str, Any], *, by: User, private: bool) -> Webhook:
    """Make a webhook, with the secret that only this answer tells; raises Invalid.

    private: whether it may lead to an address that is not public.
    """
    _judge(values, private)
    webhook = save(Webhook(**values, creator_id=by.id))
    webhook.secret = keys.renew(webhook.id)
    note("webhook.created", webhook_id=webhook.id)
    return webhook


def update(
    id: int, values: Mapping[str, Any], versions: Collection[int] | None = None, *, private: bool
) -> Webhook:
    """Change the fields sent; activating clears why it was disabled, and begins anew from now."""
    _judge(values, private)
    webhook = revise(Webhook, id, _activated(values), versions)
    note("webhook.updated", webhook_id=id, fields=sorted(values), version=webhook.version)
    return webhook


def delete(id: int, versions: Collection[int] | None = None) -> None:
    """Delete a webhook with its deliveries; what is under way is not called back."""
    remove(Webhook, id, versions)
    note("webhook.deleted", webhook_id=id)


def rotate_secret(id: int, versions: Collection[int] | None = None) -> Webhook:
    """Give a webhook a new secret, which only this answer tells; the old one signs besides for a
    day.
    """
    webhook = revise(Webhook, id, {}, versions)
    webhook.secret = keys.renew(id)
    note("webhook.secret_rotated", webhook_id=id, version=webhook.version)
    return webhook


def disabled(id: int) -> tuple[Webhook, User] | None:
    """A webhook that is disabled still, and who made it, if that is somebody who may resume it."""
    found = select(Webhook, User).join(User, User.id == Webhook.creator_id)
    found = found.where(Webhook.id == id, Webhook.disabled_at.is_not(None))
    row = db.session.execute(found.where(User.is_active, User.is_superuser)).first()
    return None if row is None else (row[0], row[1])


def _activated(values: Mapping[str, Any]) -> dict[str, Any]:
    """The change with what it entails; activating what is active keeps since when it is."""
    if not values.get("is_active"):
        return dict(values)
    since = case((Webhook.is_active, Webhook.active_since), else_=func.clock_timestamp())
    return {**values, "active_since": since, "disabled_at": null(), "disabled_reason": null()}


def _judge(values: Mapping[str, Any], private: bool) -> None:
    if "url" not in values or private:
        return
    try:
        judge_url(values["url"])
    except NotPublic as refusal:
        wrong = {"in": "body", "field": "url", "code": refusal.code, "message": refusal.sentence}
        raise Invalid([wrong]) from None
