"""The log as several processes write it."""

from __future__ import annotations

import json
import logging
import sys

import pytest
import structlog

from project import logs


def test_a_line_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a line of another process would begin before this one has ended."""
    written: list[str] = []

    class Listening:
        write = staticmethod(written.append)
        flush = staticmethod(int)

    monkeypatch.setattr(sys, "stderr", Listening)
    logs.init()
    structlog.get_logger("ours").info("first", told="x")
    logging.getLogger("theirs").warning("second")
    assert [json.loads(line)["event"] for line in written] == ["first", "second"]
    assert [line[-1] for line in written] == ["\n", "\n"]
