"""What can be done with samples."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from hashlib import sha256
from typing import IO, Any

from sqlalchemy import Select, Text, func, select

from project.db import Lookup, announce, fetch, matching, revise, revise_if, save
from project.errors import Refused
from tests.samples.models import Sample

SORTABLE: dict[str, Any] = {
    "id": Sample.id,
    "name": func.lower(Sample.name, type_=Text()),
    "price": Sample.price,
    "amount": Sample.amount,
    "created_at": Sample.created_at,
    "updated_at": Sample.updated_at,
}


def search(
    q: str | None = None, active_only: bool = False, price_min: Decimal | None = None
) -> Select[Sample]:
    found = select(Sample)
    if q is not None:
        found = found.where(matching(q, Sample.name))
    if active_only:
        found = found.where(Sample.is_active)
    if price_min is not None:
        found = found.where(Sample.price >= price_min)
    return found


def find(id: int) -> Lookup[Sample]:
    return Lookup(Sample, id)


def create(values: dict[str, Any]) -> Sample:
    sample = save(Sample(**values))
    announce("sample.created", sample_id=sample.id)
    return sample


def update(id: int, values: dict[str, Any], versions: Collection[int] | None = None) -> Sample:
    sample = revise(Sample, id, values, versions)
    announce("sample.updated", sample_id=id, fields=sorted(values))
    return sample


def delete(id: int, versions: Collection[int] | None = None) -> None:
    """Make it inactive. Doing it again changes nothing."""
    if revise_if(Sample.is_active, Sample, id, {"is_active": False}, versions):
        announce("sample.deleted", sample_id=id)


def restore(id: int) -> Sample:
    """Make it active again. Doing it again changes nothing."""
    return revise_if(~Sample.is_active, Sample, id, {"is_active": True}) or fetch(Sample, id)


def move(
    id: int, quantity: int, versions: Collection[int] | None = None, reason: str | None = None
) -> Sample:
    """Add some, or take some; where there are fewer, the rule refuses."""
    moved = revise(Sample, id, {"amount": Sample.amount + quantity}, versions)
    announce("sample.moved", sample_id=id, quantity=quantity, reason=reason)
    return moved


def look_at(file: IO[bytes]) -> dict[str, Any]:
    """How large a file is, and which; raises Refused for an empty one."""
    digest = sha256()
    while piece := file.read(65_536):
        digest.update(piece)
    if not file.tell():
        raise Refused("The file is empty.", code="malformed_file")
    return {"size": file.tell(), "digest": digest.hexdigest()}
