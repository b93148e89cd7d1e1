"""A file that came by HTTP: tried at once, or kept and taken by a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import IO, Any

from project.jobs import Job, enqueue
from project.products.bulk.report import Report, take
from project.products.bulk.sheet import Sheet
from project.products.bulk.staging import Rules
from project.sheets import Malformed
from project.uploads import service as uploads

Columns = Mapping[str, str]


def preview(
    file: IO[bytes], validate: Rules, *, update: bool, skip_refused: bool, **columns: str
) -> Report:
    """Report what an import would do, and leave everything as it is."""
    sheet = Sheet(file, columns)
    return take(sheet, validate, update=update, skip_refused=skip_refused, dry_run=True)


def queue(file: IO[bytes], *, update: bool, skip_refused: bool, **columns: str) -> Job:
    """Keep the file, and have it imported; what its header tells is refused at once."""
    Sheet(file, columns)
    upload = uploads.keep(file)
    how = {"update": update, "skip_refused": skip_refused, "columns": columns}
    return enqueue("products.import", upload_id=upload.id, **how)


def carry_out(
    upload_id: int,
    validate: Rules,
    columns: Columns,
    progress: Callable[[int], object],
    **how: bool,
) -> dict[str, Any]:
    """Import a file that was kept, and forget it; a file that is none is forgotten as well."""
    with uploads.opened(upload_id) as (file, size):
        try:
            report = take(Sheet(file, columns, Meter(size, progress)), validate, **how)
        except Malformed as refusal:
            refusal.keeps = True
            uploads.discard(upload_id)
            raise
    uploads.discard(upload_id)
    return asdict(report)


class Meter:
    """Tells percents of so many bytes; the last ones are for what is done once all are read."""

    READ = 90

    def __init__(self, size: int, progress: Callable[[int], object]) -> None:
        self._size, self._progress, self._seen, self._told = size, progress, 0, 0

    def __call__(self, seen: int) -> None:
        self._seen += seen
        percent = self.READ * self._seen // self._size
        if percent > self._told:
            self._told = percent
            self._progress(percent)
