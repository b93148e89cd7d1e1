"""A file that waits comes back as it was, a piece at a time, and is gone when it should be."""

from __future__ import annotations

import random
from datetime import timedelta
from io import BytesIO

import pytest
from sqlalchemy import func, select, update

from project.db import db
from project.errors import NotFound
from project.http.app import App
from project.jobs.registry import CHORES
from project.uploads import service, tasks
from project.uploads.models import Upload, UploadPiece

PIECE = service.PIECE

pytestmark = pytest.mark.usefixtures("context")


def content(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def kept(size: int) -> int:
    return service.keep(BytesIO(content(size))).id


def pieces() -> int:
    return db.session.scalar(select(func.count()).select_from(UploadPiece)) or 0


def counted() -> int:
    return db.session.scalar(select(func.count()).select_from(Upload)) or 0


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 7])
def test_a_file_comes_back_as_it_was(size: int) -> None:
    with service.opened(kept(size)) as (file, told):
        assert (file.read(), told) == (content(size), size)
    assert pieces() == -(-size // PIECE)


def test_a_file_is_kept_from_its_beginning_wherever_it_was_read_to() -> None:
    file = BytesIO(b"name,price\n")
    file.read()
    with service.opened(service.keep(file).id) as (found, _):
        assert found.read() == b"name,price\n"


def test_lines_are_read_across_pieces() -> None:
    lines = [b"x" * length + b"\n" for length in (PIECE - 1, 5, 2 * PIECE, 0, PIECE + 3, 9)]
    with service.opened(service.keep(BytesIO(b"".join(lines))).id) as (file, _):
        assert [*file] == lines


def test_two_files_are_told_apart() -> None:
    one, other = kept(PIECE + 1), kept(PIECE + 2)
    service.discard(one)
    with service.opened(other) as (file, _):
        assert file.read() == content(PIECE + 2)
    with pytest.raises(NotFound, match="send it again"), service.opened(one):
        pass
    assert (counted(), pieces()) == (1, 2)


def test_reading_asks_once_for_a_piece_and_never_for_two(statements: list[str]) -> None:
    id = kept(5 * PIECE)
    statements.clear()
    with service.opened(id) as (file, _):
        assert file.read(10) == content(5 * PIECE)[:10]
        assert len(statements) == 2
        file.read()
    assert len(statements) == 7  # the size, five pieces, and where no more is


def test_what_nobody_comes_for_is_forgotten_after_three_days() -> None:
    waiting, forgotten = kept(1), kept(2)
    expires_at = select(Upload.expires_at - func.now()).where(Upload.id == waiting)
    assert db.session.scalar(expires_at) == timedelta(days=3)
    late = update(Upload).where(Upload.id == forgotten)
    db.session.execute(late.values(expires_at=func.now() - timedelta(seconds=1)))
    assert tasks.sweep()
    assert not tasks.sweep()
    assert db.session.scalars(select(Upload.id)).all() == [waiting]
    assert pieces() == 1


def test_workers_come_round_for_what_is_forgotten(app: App) -> None:
    assert tasks.sweep in [chore.work for chore in CHORES]
