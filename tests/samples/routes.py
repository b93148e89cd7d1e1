"""/samples: a room to try what every room inherits on, whatever rooms there are."""

from __future__ import annotations

from typing import IO, Any

from sqlalchemy import Select

from project.db import Lookup
from project.errors import NotFound, Refused, Stale
from project.http import etag
from project.http.blueprint import Blueprint
from tests.samples import service
from tests.samples.models import Sample
from tests.samples.schemas import (
    FileFlags,
    FileOut,
    SampleIn,
    SampleOut,
    SamplePatch,
    SampleQuery,
    SampleSearch,
    TakeQuery,
)

blp = Blueprint("samples", __name__, description="For experiments.")

FEWER = Refused("There are fewer", code="not_enough")
MISSING = NotFound("Sample with id 9 not found")
MOVED_ON = Stale('Sample 1 has changed, its ETag is "1-3" now; read it again')
NAMES = ("id", "name", "description", "price", "amount")


@blp.get("/")
@blp.public
@blp.page(SampleOut, SampleQuery, service.SORTABLE)
def list_samples(**query: Any) -> Select[Sample]:
    """List samples"""
    return service.search(**query)


@blp.get("/search/")
@blp.public
@blp.page(SampleOut, SampleSearch, service.SORTABLE)
def search_samples(**query: Any) -> Select[Sample]:
    """Search samples by a part of their name"""
    return service.search(**query)


@blp.get("/export")
@blp.signed_in
@blp.download(SampleOut, SampleQuery, NAMES, "samples")
def export_samples(**query: Any) -> Select[Sample]:
    """Export samples to a file"""
    return service.search(**query)


@blp.post("/file")
@blp.signed_in
@blp.once
@blp.upload("text/csv", "name,price\nChalk,29.90\n")
@blp.arguments(FileFlags, "query")
@blp.document(FileOut)
def look_at_file(file: IO[bytes], dry_run: bool) -> dict[str, Any]:
    """Look at a file"""
    return service.look_at(file)


@blp.post("/")
@blp.signed_in
@blp.once
@blp.arguments(SampleIn)
@blp.created(SampleOut, at="samples.get_sample")
def create_sample(values: dict[str, Any]) -> Sample:
    """Create a sample"""
    return service.create(values)


@blp.get("/<id:id>")
@blp.public
@blp.item(SampleOut)
@blp.refuses(MISSING)
def get_sample(id: int) -> Lookup[Sample]:
    """Get a sample"""
    return service.find(id)


@blp.put("/<id:id>")
@blp.signed_in
@blp.arguments(SamplePatch)
@blp.item(SampleOut)
@blp.refuses(MISSING, MOVED_ON)
def put_sample(values: dict[str, Any], id: int) -> Sample:
    """Change a sample"""
    return service.update(id, values, etag.expected(id))


@blp.patch("/<id:id>")
@blp.signed_in
@blp.once
@blp.arguments(SamplePatch)
@blp.item(SampleOut)
@blp.refuses(MISSING, MOVED_ON)
def patch_sample(values: dict[str, Any], id: int) -> Sample:
    """Change some fields of a sample"""
    return service.update(id, values, etag.expected(id))


@blp.delete("/<id:id>")
@blp.signed_in
@blp.nothing
@blp.refuses(MISSING, MOVED_ON)
def delete_sample(id: int) -> None:
    """Make a sample inactive"""
    service.delete(id, etag.expected(id))


@blp.post("/<id:id>/restore")
@blp.signed_in
@blp.once
@blp.item(SampleOut)
@blp.refuses(MISSING)
def restore_sample(id: int) -> Sample:
    """Make a sample active again"""
    return service.restore(id)


@blp.patch("/<id:id>/amount")
@blp.signed_in
@blp.once_for("samples")
@blp.arguments(TakeQuery, "query")
@blp.item(SampleOut)
@blp.refuses(FEWER, MISSING, MOVED_ON)
def move_sample(id: int, **moved: Any) -> Sample:
    """Add some of a sample, or take some"""
    return service.move(id, **moved, versions=etag.expected(id))


@blp.post("/<id:id>/takings")
@blp.signed_in
@blp.once_for("samples")
@blp.arguments(TakeQuery)
@blp.created(SampleOut, at="samples.get_sample")
@blp.refuses(FEWER, MISSING)
def take_sample(values: dict[str, Any], id: int) -> Sample:
    """Add some of a sample, or take some, by a body"""
    return service.move(id, **values)
