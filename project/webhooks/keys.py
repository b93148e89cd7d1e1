"""The secrets of webhooks: one that holds, and for a day those that it replaced."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, func, or_, select, update

from project.db import db, save
from project.webhooks.models import WebhookSecret
from project.webhooks.signing import new_secret

CHANGEOVER = timedelta(hours=24)  # in which receivers take the new one into their settings
MOST = 5  # that sign at once: a header has an end


def renew(webhook_id: int) -> str:
    """A new secret, for the eyes of whoever asked for it; the one before goes on for a day.

    Whoever calls holds the webhook, so that two at once do not leave two that hold.
    """
    theirs = WebhookSecret.webhook_id == webhook_id
    db.session.execute(delete(WebhookSecret).where(theirs, WebhookSecret.expires_at <= func.now()))
    before = update(WebhookSecret).where(theirs, WebhookSecret.expires_at.is_(None))
    db.session.execute(before.values(expires_at=func.now() + CHANGEOVER))
    return save(WebhookSecret(webhook_id=webhook_id, secret=new_secret())).secret


def valid(webhook_id: int) -> Sequence[str]:
    """The secrets that sign now, the newest first."""
    fresh = or_(WebhookSecret.expires_at.is_(None), WebhookSecret.expires_at > func.now())
    found = select(WebhookSecret.secret).where(WebhookSecret.webhook_id == webhook_id, fresh)
    return db.session.scalars(found.order_by(WebhookSecret.id.desc()).limit(MOST)).all()
