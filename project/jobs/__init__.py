"""Work that happens after the answer: queued in the caller's transaction, done by a worker."""

from project.jobs.models import Job
from project.jobs.registry import TryAgain, chore, task
from project.jobs.running import key, progress
from project.jobs.service import enqueue, enqueue_all

__all__ = ["Job", "TryAgain", "chore", "enqueue", "enqueue_all", "key", "progress", "task"]
