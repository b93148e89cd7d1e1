"""/metrics: for Prometheus, or whatever reads its format."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from config import NAME
from project.http.blueprint import Blueprint
from project.metrics import service

blp = Blueprint("metrics", __name__, description="How the service is doing.", counted=False)

EXAMPLE = f"""# HELP {NAME}_database_up Whether the database answers.
# TYPE {NAME}_database_up gauge
{NAME}_database_up 1.0
"""


@blp.get("/metrics")
@blp.watcher
@blp.text(CONTENT_TYPE_PLAIN_0_0_4, EXAMPLE)
def metrics() -> bytes:
    """Tell what is counted and measured

    In Prometheus' text format, of all processes of this instance. Programs on the same machine
    need no token, unless they come through a proxy.
    """
    return service.exposition()
