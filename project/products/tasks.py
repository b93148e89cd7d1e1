"""What the catalogue leaves to workers."""

from __future__ import annotations

from typing import Any

from project.jobs import progress, task
from project.products import bulk
from project.products.schemas import validate_row


@task("products.import")
def import_products(upload_id: int, columns: dict[str, str], **how: bool) -> dict[str, Any]:
    """Take an uploaded file into the catalogue, and report what came of it."""
    return bulk.carry_out(upload_id, validate_row, columns, progress, **how)
