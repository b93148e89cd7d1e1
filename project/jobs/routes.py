"""/jobs: how far work is that happens after the answer."""

from __future__ import annotations

from project.errors import NotFound
from project.http.blueprint import Blueprint
from project.http.guards import actor
from project.jobs import service
from project.jobs.models import Job
from project.jobs.schemas import JobOut

blp = Blueprint("jobs", __name__, description="Work that happens after the answer.")


@blp.get("/<id:id>")
@blp.signed_in
@blp.document(JobOut)
@blp.refuses(service.OnlyAsker, NotFound("Job with id 9 not found"))
def get_job(id: int) -> Job:
    """Get a job one has asked for

    Superusers may see any.
    """
    return service.get(id, viewer=actor())
