"""A file that waits, in pieces: rows, since they are backed up, replicated and deleted like any."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from project.db import Base, Id, Instant


class Upload(Base):
    """A file; whoever reads it deletes it, and after its time it goes by itself."""

    __tablename__ = "uploads"
    __table_args__ = (
        CheckConstraint("size >= 0", name="size_range"),
        Index("ix_uploads_expires_at", "expires_at"),
    )

    id: Mapped[Id]
    size: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[Instant]
    expires_at: Mapped[datetime]


class UploadPiece(Base):
    """Some of its bytes; the first piece is number 0."""

    __tablename__ = "upload_pieces"

    upload_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey(Upload.id, ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LargeBinary)
