"""A laboratory: tasks to try, and a table for what they did."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from project.db import db
from tests.jobs.laboratory import TABLE


@pytest.fixture
def effects(context: None) -> None:
    """The table of effects, for the time of a test."""
    db.session.execute(text(TABLE))
    db.session.commit()
