"""What has expired goes, what has not stays, and nobody is waited for."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, text, update

from project import sweeping
from project.db import db
from project.http.idempotency import keys
from project.jobs.registry import CHORES
from project.jobs.running import attend
from project.sessions.models import Session
from project.users.models import PasswordReset
from tests.sessions.make import begin
from tests.users.make import begun, make_user

pytestmark = pytest.mark.usefixtures("context")

KEYS = """
INSERT INTO idempotency_keys SELECT int4send(n), '', 200, '{}', '', now() + (n - 2) * interval '1 h'
FROM generate_series(1, 3) AS n
"""


def test_what_has_expired_is_deleted_and_nothing_else() -> None:
    user = make_user(email="ada@example.org")
    begin(user)
    begun("ada@example.org")
    db.session.execute(update(Session).values(expires_at=func.now()))
    db.session.execute(update(PasswordReset).values(expires_at=func.now()))
    db.session.execute(text(KEYS))
    new, _ = begin(user)
    begun("ada@example.org")
    [chore] = [chore for chore in CHORES if chore.work is sweeping.sweep]
    assert attend(chore) is False
    assert db.session.scalars(select(Session.id)).all() == [new.id]
    assert db.session.scalar(select(func.count()).select_from(PasswordReset)) == 1
    assert db.session.scalar(select(func.count()).select_from(keys.idempotency_keys)) == 1


@pytest.mark.parametrize(
    "portion",
    ["project.http.idempotency.keys", "project.sessions.service", "project.users.credentials"],
)
def test_there_may_be_more_where_a_portion_was_full(
    portion: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{portion}.PORTION", 2)
    user = make_user(email="ada@example.org")
    for _ in range(3):
        begin(user)
        begun("ada@example.org")
    db.session.execute(update(Session).values(expires_at=func.now()))
    db.session.execute(update(PasswordReset).values(expires_at=func.now()))
    db.session.execute(text(KEYS))
    assert [sweeping.sweep() for _ in range(2)] == [True, False]
