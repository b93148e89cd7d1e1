"""Sessions as services see them: begun, refreshed, ended."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from project.db import db
from project.errors import NotFound, Unauthorized
from project.sessions import service
from project.sessions.models import RefreshToken, Session
from tests.sessions.make import begin
from tests.users.make import make_user


def sessions_of(user_id: int) -> list[int]:
    """The ids of the sessions that are shown to this user, the oldest first."""
    return [session.id for session in db.session.scalars(service.of_user(user_id).order_by("id"))]


def tokens() -> int:
    return db.session.scalar(select(func.count()).select_from(RefreshToken)) or 0


def test_tokens_are_random_and_kept_as_hashes(context: None) -> None:
    user = make_user()
    made = [begin(user)[1] for _ in range(3)]
    assert len({*made}) == 3
    assert {len(token) for token in made} == {43}  # 256 bits
    kept = db.session.scalars(select(RefreshToken.hash)).all()
    assert {len(hash) for hash in kept} == {32}
    assert not {*kept} & {token.encode() for token in made}


def test_used_tokens_are_remembered_as_long_as_the_session_is(context: None) -> None:
    session, token = begin(make_user())
    for _ in range(3):
        again, token = service.refresh(token)
        assert again.id == session.id
    assert tokens() == 4
    old = RefreshToken.used_at.is_not(None)
    long_ago = func.now() - service.LIFETIME - timedelta(seconds=1)
    db.session.execute(update(RefreshToken).where(old).values(used_at=long_ago))
    token = service.refresh(token)[1]
    assert tokens() == 3 - 1  # but for those that nobody would present any more
    service.end(session.id, session.user_id)
    assert tokens() == 0
    with pytest.raises(Unauthorized):
        service.refresh(token)


def test_a_session_is_ended_by_its_owner_only(context: None) -> None:
    owner, stranger = make_user(), make_user()
    session, token = begin(owner)
    with pytest.raises(NotFound):
        service.end(session.id, stranger.id)
    assert service.refresh(token)[0].id == session.id
    service.end(session.id, owner.id)
    with pytest.raises(NotFound, match=f"Session with id {session.id} not found"):
        service.end(session.id, owner.id)


def test_all_sessions_end_but_perhaps_one(context: None) -> None:
    ada, bob, eve = (make_user() for _ in range(3))
    ids = {user.id: [begin(user)[0].id for _ in range(2)] for user in (ada, bob, eve)}
    assert service.end_all([]) == 0
    assert service.end_all([0]) == 0
    assert service.end_all([ada.id, bob.id], but=ids[bob.id][0]) == 3
    assert [sessions_of(user.id) for user in (ada, bob, eve)] == [
        [],
        ids[bob.id][:1],
        ids[eve.id],
    ]
    assert service.end_all([bob.id], but=ids[eve.id][0]) == 1  # somebody else's is no exception
    assert sessions_of(eve.id) == ids[eve.id]


def test_all_sessions_end_in_a_constant_number_of_statements(
    context: None, statements: list[str]
) -> None:
    users = [make_user() for _ in range(5)]
    for user in users:
        begin(user)
    statements.clear()
    assert service.end_all([user.id for user in users]) == 5
    assert len(statements) == 1


def test_what_has_expired_is_hidden_at_once_and_swept_away_later(context: None) -> None:
    ada, bob = make_user(), make_user()
    old, fresh, other = begin(ada)[0], begin(ada)[0], begin(bob)[0]
    for session in (old, other):
        session.expires_at = func.now()
    db.session.flush()
    assert (sessions_of(ada.id), sessions_of(bob.id)) == ([fresh.id], [])
    assert service.sweep_expired() is False
    assert db.session.scalars(select(Session.id)).all() == [fresh.id]


def test_sweeping_says_whether_there_may_be_more(
    context: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PORTION", 2)
    ada = make_user()
    for _ in range(3):
        begin(ada)[0].expires_at = func.now()
    db.session.flush()
    assert [service.sweep_expired() for _ in range(2)] == [True, False]
