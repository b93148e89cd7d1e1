"""Jobs as documents."""

from __future__ import annotations

from project.http.fields import Choice, Int, Json, Text, Timestamp
from project.http.schemas import Out
from project.jobs.models import STATUSES

NOW = "2026-11-22T08:51:36.773621Z"


class JobOut(Out):
    """Work that happens after the answer: `failed` when it will not be tried again."""

    id = Int(example=1)
    task = Text(max=128, example="mail.send")
    status = Choice(*STATUSES, example="todo")
    attempts = Int(example=0, metadata={"description": "How many have ended."})
    progress = Int(max=100, example=0, metadata={"description": "Percent."})
    result = Json(
        allow_none=True,
        metadata={"description": "What the task answers: of an import, its report."},
    )
    error = Text(
        max=1000, allow_none=True, metadata={"description": "Why the last attempt failed."}
    )
    created_at = Timestamp(example=NOW)
    finished_at = Timestamp(allow_none=True)
