"""What the probes answer."""

from __future__ import annotations

from project.http.fields import Text
from project.http.schemas import Schema


class HealthOut(Schema):
    """`status` is ok."""

    status = Text(max=10, required=True, dump_only=True, example="ok")
