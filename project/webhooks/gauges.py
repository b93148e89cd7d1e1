"""How deliveries are doing."""

from project.db import gauge

gauge(
    "webhook_deliveries_pending",
    "Deliveries that are not made yet, also those to be tried again.",
    "SELECT count(*) AS value FROM webhook_deliveries WHERE status = 'pending'",
)
gauge(
    "webhook_deliveries_oldest_due_seconds",
    "For how long the delivery that is due the longest has been; 0 if none is.",
    """
    SELECT coalesce(extract(epoch FROM now() - min(next_attempt_at)), 0) AS value
    FROM webhook_deliveries JOIN webhooks ON webhooks.id = webhook_id
    WHERE status = 'pending' AND next_attempt_at <= now() AND is_active
    """,
)
gauge(
    "webhooks_disabled",
    "Webhooks that were disabled because they took nothing, by reason.",
    """
    SELECT disabled_reason AS reason, count(*) AS value FROM webhooks
    WHERE disabled_reason IS NOT NULL GROUP BY 1
    """,
)
