"""A job: what the queue knows of it, and what it tells of itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ENUM, JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from project.db import Base, Instant

STATUSES = ("todo", "doing", "succeeded", "failed", "cancelled", "aborted")


class Queued(Base):
    """A row of Procrastinate's own table: its functions change it, and we forget its arguments."""

    __tablename__ = "procrastinate_jobs"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    task_name: Mapped[str] = mapped_column(String(128))
    status: Mapped[str] = mapped_column(
        ENUM(*STATUSES, name="procrastinate_job_status", create_type=False)
    )
    attempts: Mapped[int]
    arguments: Mapped[Any] = mapped_column("args", JSONB, deferred=True)
    scheduled_at: Mapped[datetime | None]
    worker_id: Mapped[int | None] = mapped_column(BigInteger)


class Worker(Base):
    """A process that does jobs; also Procrastinate's."""

    __tablename__ = "procrastinate_workers"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    last_heartbeat: Mapped[datetime]


class Job(Base):
    """Something to be done once.

    finished_at: set in the transaction of its effects, so that it is never done again.
    error: why the last attempt failed, in a sentence for whoever asked.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("progress BETWEEN 0 AND 100", name="progress_range"),
        Index(
            "ix_jobs_finished_at", "finished_at", postgresql_where=text("finished_at IS NOT NULL")
        ),
    )

    id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("procrastinate_jobs.id", ondelete="CASCADE"), primary_key=True
    )
    actor_id: Mapped[int | None] = mapped_column(BigInteger)  # no foreign key: it may go
    actor_name: Mapped[str | None] = mapped_column(String(50))
    request_id: Mapped[str] = mapped_column(String(128))
    progress: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    result: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[Instant]
    finished_at: Mapped[datetime | None]

    queued: Mapped[Queued] = relationship(lazy="joined", innerjoin=True, viewonly=True)

    @property
    def task(self) -> str:
        return self.queued.task_name

    @property
    def status(self) -> str:
        return self.queued.status

    @property
    def attempts(self) -> int:
        return self.queued.attempts
