"""What can be done with files that wait."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import IO, Any, cast

from sqlalchemy import delete, func, insert, select

from project.db import db, save, sweep
from project.errors import NotFound
from project.uploads.models import Upload, UploadPiece

KEPT = timedelta(days=3)  # so long may work wait for a worker, or fail and be tried again
PIECE = 256 * 1024  # bytes in a row: on their way to the server they take some times as much
PORTION = 20  # files swept in a statement


def keep(file: IO[bytes]) -> Upload:
    """Store a file from its beginning, a piece at a time."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    upload = save(Upload(size=size, expires_at=func.now() + KEPT))
    for number, data in enumerate(iter(partial(file.read, PIECE), b"")):
        piece = {"upload_id": upload.id, "number": number, "data": data}
        db.session.execute(insert(UploadPiece).values(piece))
    return upload


@contextmanager
def opened(id: int) -> Iterator[tuple[IO[bytes], int]]:
    """A file to be read, and its size; raises NotFound."""
    size = db.session.scalar(select(Upload.size).where(Upload.id == id).with_for_update())
    if size is None:
        raise NotFound("The file is not kept any longer: send it again.")
    with io.BufferedReader(_Pieces(id)) as file:
        yield cast("IO[bytes]", file), size


def discard(id: int) -> None:
    """Forget a file."""
    db.session.execute(delete(Upload).where(Upload.id == id))


def sweep_expired() -> int:
    """Forget some files that nobody came for; how many they were."""
    return sweep(Upload.id, Upload.expires_at, PORTION)


class _Pieces(io.RawIOBase):
    """The bytes of a file, one piece of it in memory."""

    def __init__(self, id: int) -> None:
        self._id, self._number, self._rest = id, 0, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest, self._number = memoryview(self._fetch()), self._number + 1
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)

    def _fetch(self) -> bytes:
        key = UploadPiece.upload_id == self._id, UploadPiece.number == self._number
        return db.session.scalar(select(UploadPiece.data).where(*key)) or b""
