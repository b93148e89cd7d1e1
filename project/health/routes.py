"""/healthz and /readyz: for whoever restarts processes and steers traffic."""

from __future__ import annotations

from project.errors import Unavailable
from project.health import service
from project.health.schemas import HealthOut
from project.http.blueprint import Blueprint

blp = Blueprint("health", __name__, description="Alive and ready.", counted=False)

SILENT = Unavailable("The database does not answer in time.")
BEHIND = Unavailable(
    "The database schema is at no revision, this release has 0001: run flask db upgrade.",
    code="wrong_schema",
)


@blp.get("/healthz")
@blp.public
@blp.document(HealthOut)
def healthz() -> dict[str, str]:
    """Tell whether the process is alive"""
    return {"status": "ok"}


@blp.get("/readyz")
@blp.public
@blp.document(HealthOut)
@blp.refuses(SILENT, BEHIND)
def readyz() -> dict[str, str]:
    """Tell whether the database answers and has this release's schema"""
    service.check()
    return {"status": "ok"}
