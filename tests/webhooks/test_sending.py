"""From what happened to what a receiver gets, judged by an independent implementation."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from standardwebhooks import WebhookVerificationError

from project.db import Event, announce, db, transaction
from project.errors import Refused
from project.http.app import App
from project.jobs import enqueue
from project.webhooks import keys, service
from project.webhooks.attempts import WAITS
from project.webhooks.dispatch import AT_ONCE, dispatch
from project.webhooks.models import Delivery, Webhook, WebhookSecret
from tests.webhooks.conftest import Send
from tests.webhooks.make import make_webhook
from tests.webhooks.receiver import Receiver, say
from tests.work import work

pytestmark = pytest.mark.usefixtures("context")
DAY = timedelta(days=1)


def happen(*types: str, **data: Any) -> None:
    with transaction():
        for type in types or ("lamp.low",):
            announce(type, **data)


def hook(receiver: Receiver, path: str = "/", **values: Any) -> tuple[int, str]:
    """The id and the secret of a webhook that leads there."""
    with transaction():
        webhook = make_webhook(url=receiver.url + path, **values)
        return webhook.id, webhook.secret


def deliveries() -> list[Delivery]:
    found = select(Delivery).order_by(Delivery.id).execution_options(populate_existing=True)
    return list(db.session.scalars(found))


def delivery() -> Delivery:
    [found] = deliveries()
    return found


def make_due() -> None:
    """Time goes by until the next attempt."""
    with transaction():
        due = update(Delivery).where(Delivery.status == "pending")
        db.session.execute(due.values(next_attempt_at=func.now(), leased_until=None))


def webhook() -> Webhook:
    found = select(Webhook).execution_options(populate_existing=True)
    return db.session.scalars(found).one()


def types_of(receiver: Receiver) -> list[str]:
    return [json.loads(each.body)["type"] for each in receiver.received]


def test_what_happened_arrives_signed(receiver: Receiver, send: Send) -> None:
    _, secret = hook(receiver, "/hook?a=b")
    happen("lamp.low", lamp_id=7, name="Lämpchen")
    assert send() == 1
    [came] = receiver.received
    event = db.session.scalars(select(Event)).one()
    assert came.path == "/hook?a=b"
    assert came.id == f"evt_{event.id}"
    assert came.headers["content-type"] == "application/json"
    assert came.document(secret) == {
        "type": "lamp.low",
        "timestamp": event.created_at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "data": {"lamp_id": 7, "name": "Lämpchen"},
    }


def test_a_delivery_tells_what_became_of_it(receiver: Receiver, send: Send) -> None:
    receiver.answers = [say(202, b"thanks")]
    hook(receiver)
    happen()
    send()
    found = delivery()
    assert (found.status, found.attempts, found.response_status) == ("delivered", 1, 202)
    assert (found.response_excerpt, found.error) == ("thanks", None)
    assert found.next_attempt_at is None
    assert found.leased_until is None
    assert found.first_attempt_at == found.last_attempt_at == found.delivered_at is not None
    assert found.duration_ms is not None


def test_what_is_delivered_is_not_sent_again(receiver: Receiver, send: Send) -> None:
    hook(receiver)
    happen()
    assert send() == 1
    make_due()
    assert send() == 0
    assert len(receiver.received) == 1


def test_what_is_rolled_back_is_never_sent(receiver: Receiver, send: Send) -> None:
    hook(receiver)
    with pytest.raises(Refused), transaction():  # noqa: PT012 — because it raises at the commit
        announce("lamp.low")
        raise Refused("no")
    assert send() == 0
    assert receiver.received == []


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        (None, ["lamp.low", "lamp.lower", "user.created", "user_x.created"]),
        (["lamp.low"], ["lamp.low"]),
        (["user.*"], ["user.created"]),
        (
            ["lamp.*", "user.created", "lamp.low"],
            ["lamp.low", "lamp.lower", "user.created"],
        ),
        (["shelf.*"], []),
    ],
)
def test_only_the_types_asked_for_are_sent(
    receiver: Receiver, send: Send, wanted: list[str] | None, sent: list[str]
) -> None:
    hook(receiver, event_types=wanted)
    happen("user.created", "user_x.created", "lamp.low", "lamp.lower")
    send()
    assert sorted(types_of(receiver)) == sent


def test_each_webhook_is_told_of_what_it_wants(receiver: Receiver, send: Send) -> None:
    hook(receiver, "/a")
    hook(receiver, "/b", event_types=["lamp.*"])
    hook(receiver, "/c", is_active=False)
    happen("lamp.low", "shelf.made")
    send()
    assert sorted(each.path for each in receiver.received) == ["/a", "/a", "/b"]
    assert len({each.id for each in receiver.received}) == 2


def test_what_happened_before_a_webhook_was_made_is_not_sent(
    receiver: Receiver, send: Send
) -> None:
    happen()
    with transaction():
        make_webhook(url=receiver.url, active_since=func.clock_timestamp())
    happen("lamp.high")
    send()
    assert types_of(receiver) == ["lamp.high"]


def test_without_webhooks_events_are_handed_over_all_the_same(statements: list[str]) -> None:
    happen("a.b", "c.d")
    statements.clear()
    with transaction():
        assert dispatch() is False
    assert len(statements) == 2
    assert set(db.session.scalars(select(Event.dispatched))) == {True}


def test_handing_over_takes_as_many_statements_for_many_as_for_one(
    statements: list[str], receiver: Receiver
) -> None:
    counts = []
    for number in (1, 50):
        for _ in range(3):
            hook(receiver)
        happen(*["lamp.low"] * number)
        statements.clear()
        with transaction():
            dispatch()
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 4


def test_a_portion_that_is_full_says_that_there_is_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("project.webhooks.dispatch.PORTION", 2)
    happen("a.b", "a.c", "a.d")
    with transaction():
        assert dispatch() is True
    with transaction():
        assert dispatch() is False


def test_a_failure_is_tried_again_with_the_same_bytes_and_id(
    receiver: Receiver, send: Send
) -> None:
    receiver.answers = [500, say(302, Location="http://127.0.0.1:1/"), 204]
    _, secret = hook(receiver)
    happen("lamp.low", lamp_id=7)
    assert send() == 1
    found = delivery()
    assert (found.status, found.response_status, found.attempts) == ("pending", 500, 1)
    assert send() == 0  # not yet
    for _ in range(2):
        make_due()
        assert send() == 1
    assert delivery().status == "delivered"
    assert len({(each.id, each.body) for each in receiver.received}) == 1
    for each in receiver.received:
        each.document(secret)


def test_attempts_are_spread_over_three_days(receiver: Receiver, send: Send) -> None:
    receiver.answers = [500]
    hook(receiver)
    happen()
    for number, wait in enumerate(WAITS, start=1):
        assert send() == 1
        found = delivery()
        assert found.next_attempt_at is not None
        assert found.last_attempt_at is not None
        pause = (found.next_attempt_at - found.last_attempt_at).total_seconds()
        assert (found.attempts, found.status) == (number, "pending")
        assert wait <= pause <= wait * 1.1 + 1
        make_due()
    send()
    assert len(receiver.received) == len(WAITS) + 1
    assert (delivery().status, delivery().next_attempt_at) == ("failed", None)
    assert 3 * DAY <= timedelta(seconds=sum(WAITS)) <= 4 * DAY
    make_due()
    assert send() == 0


@pytest.mark.parametrize(
    ("status", "header", "least", "most"),
    [
        (429, "60", 60, 61),
        (503, "7200", 7200, 7201),
        (503, "999999", 86_400, 86_401),
        (503, "1", 5, 6),
        (500, "60", 5, 6),
    ],
)
def test_retry_after_is_respected_within_reason(
    receiver: Receiver, send: Send, status: int, header: str, least: int, most: int
) -> None:
    receiver.answers = [say(status, Retry_After=header)]
    hook(receiver)
    happen()
    send()
    found = delivery()
    assert found.next_attempt_at is not None
    assert found.last_attempt_at is not None
    assert least <= (found.next_attempt_at - found.last_attempt_at).total_seconds() <= most


def test_an_endpoint_that_is_gone_is_disabled_at_once(receiver: Receiver, send: Send) -> None:
    receiver.answers = [410]
    gone, _ = hook(receiver)
    with Receiver() as other:
        hook(other)
        happen()
        send()
        assert types_of(other) == ["lamp.low", "webhook.disabled"]
        notice = json.loads(other.received[1].body)["data"]
    assert notice == {"webhook_id": gone, "reason": "gone"}
    found = db.session.get_one(Webhook, gone, populate_existing=True)
    assert (found.is_active, found.disabled_reason) == (False, "gone")
    assert found.disabled_at is not None
    assert types_of(receiver) == ["lamp.low"]  # its own end is not told to it


def use_up(send: Send) -> None:
    """All the attempts of what is pending but the last."""
    with transaction():
        values = {"attempts": len(WAITS), "first_attempt_at": func.now() - 3 * DAY}
        db.session.execute(update(Delivery).where(Delivery.status == "pending").values(values))
    make_due()


def test_an_endpoint_that_takes_nothing_is_disabled_and_this_is_told(
    receiver: Receiver, send: Send
) -> None:
    receiver.answers = [500]
    hook(receiver)
    happen("lamp.low", "lamp.lower")
    send()
    assert webhook().is_active
    use_up(send)
    send()
    assert len(receiver.received) == 3  # the fourth attempt would be after its end
    assert (webhook().is_active, webhook().disabled_reason) == (False, "failing")
    assert webhook().version == 2
    told = db.session.scalars(select(Event).where(Event.type == "webhook.disabled")).one()
    assert told.data == {"webhook_id": webhook().id, "reason": "failing"}
    assert len(deliveries()) == 2


def test_an_endpoint_that_took_something_meanwhile_is_not_disabled(
    receiver: Receiver, send: Send
) -> None:
    receiver.answers = [500, 204, 500]
    hook(receiver)
    happen("lamp.low", "lamp.lower")
    send()
    use_up(send)
    assert send() == 1
    assert webhook().is_active
    assert sorted(each.status for each in deliveries()) == ["delivered", "failed"]


def test_what_was_pending_goes_on_when_it_is_resumed_and_what_happened_meanwhile_does_not(
    receiver: Receiver, send: Send
) -> None:
    receiver.answers = [500]
    id, _ = hook(receiver)
    happen("first.seen")
    send()
    with transaction():
        service.update(id, {"is_active": False}, private=True)
    happen("never.seen")
    make_due()
    assert send() == 0
    receiver.answers, receiver.received = [204], []
    happen("never.seen")  # nor what is handed over only after
    with transaction():
        service.update(id, {"is_active": True}, private=True)
    happen("last.seen")
    assert send() == 2
    assert types_of(receiver) == ["first.seen", "last.seen"]


def test_what_is_queued_when_a_webhook_is_deactivated_waits(receiver: Receiver, send: Send) -> None:
    id, _ = hook(receiver)
    happen()
    with transaction():
        dispatch()
    with transaction():
        service.update(id, {"is_active": False}, private=True)
    assert send() == 1  # the job, which sends nothing
    assert receiver.received == []
    assert (delivery().status, delivery().leased_until) == ("pending", None)
    with transaction():
        service.update(id, {"is_active": True}, private=True)
    assert send() == 1
    assert types_of(receiver) == ["lamp.low"]


def test_resuming_clears_why_it_was_disabled(receiver: Receiver, send: Send) -> None:
    receiver.answers = [410]
    id, _ = hook(receiver)
    happen()
    send()
    with transaction():
        resumed = service.update(id, {"is_active": True}, private=True)
        assert (resumed.disabled_at, resumed.disabled_reason) == (None, None)


def test_the_job_of_a_delivery_that_is_gone_ends_quietly(
    receiver: Receiver, send: Send, capsys: pytest.CaptureFixture[str]
) -> None:
    id, _ = hook(receiver)
    happen()
    with transaction():
        dispatch()
    with transaction():
        service.delete(id)
    assert send() == 1
    assert receiver.received == []
    assert "failed" not in capsys.readouterr().err


def test_a_webhook_that_is_deleted_during_an_attempt_is_forgotten(
    app: App, receiver: Receiver, send: Send, capsys: pytest.CaptureFixture[str]
) -> None:
    id, _ = hook(receiver)

    def delete(request: Any) -> None:
        with app.app_context(), transaction():
            service.delete(id)
        say(500)(request)

    receiver.answers = [delete]
    happen()
    assert send() == 1
    assert deliveries() == []
    assert '"job.failed"' not in capsys.readouterr().err


def test_so_many_attempts_for_a_webhook_are_queued_at_once(receiver: Receiver, send: Send) -> None:
    """Or the endpoint that takes longest would have all the workers."""
    hook(receiver)
    hook(receiver)
    happen(*["lamp.low"] * 10)
    with transaction():
        dispatch()
    assert sum(each.leased_until is not None for each in deliveries()) == 2 * AT_ONCE
    with transaction():
        dispatch()
    assert sum(each.leased_until is not None for each in deliveries()) == 2 * AT_ONCE
    assert send() == 20


def test_a_success_is_followed_by_the_next_at_once(app: App, receiver: Receiver) -> None:
    hook(receiver)
    happen(*["lamp.low"] * 10)
    with transaction():
        dispatch()
    assert work(app) == 10


def test_a_failure_lets_others_go_first(app: App, receiver: Receiver) -> None:
    receiver.answers = [500]
    hook(receiver)
    happen(*["lamp.low"] * 10)
    with transaction():
        dispatch()
    assert work(app) == AT_ONCE


def test_an_attempt_that_is_put_off_is_not_made_by_a_job_that_comes_late(
    app: App, receiver: Receiver
) -> None:
    receiver.answers = [500]
    hook(receiver)
    happen()
    with transaction():
        dispatch()
        enqueue("webhooks.deliver", delivery_id=delivery().id)
    assert work(app) == 2
    assert len(receiver.received) == 1


def test_an_attempt_that_nothing_is_heard_of_is_queued_again(
    receiver: Receiver, send: Send
) -> None:
    hook(receiver)
    happen()
    with transaction():
        dispatch()
        lost = update(Delivery).values(leased_until=func.now() - timedelta(seconds=1))
        db.session.execute(lost)
    assert send() == 2  # of which the second finds nothing to do
    assert len(receiver.received) == 1


def test_an_old_and_a_new_secret_both_sign_for_a_day(receiver: Receiver, send: Send) -> None:
    id, old = hook(receiver)
    with transaction():
        new = service.rotate_secret(id).secret
    happen()
    send()
    [came] = receiver.received
    assert len(came.headers["webhook-signature"].split(" ")) == 2
    assert came.document(old) == came.document(new)
    with transaction():
        past = update(WebhookSecret).where(WebhookSecret.expires_at.is_not(None))
        db.session.execute(past.values(expires_at=func.now() - timedelta(seconds=1)))
    happen()
    send()
    came = receiver.received[1]
    came.document(new)
    with pytest.raises(WebhookVerificationError):
        came.document(old)


def test_a_secret_is_valid_for_24_hours_after_the_next(receiver: Receiver) -> None:
    id, old = hook(receiver)
    with transaction():
        service.rotate_secret(id)
    row = db.session.scalars(select(WebhookSecret).where(WebhookSecret.secret == old)).one()
    assert row.expires_at == db.session.scalar(select(func.now() + DAY))


def test_secrets_renewed_over_and_over_do_not_make_headers_endless(receiver: Receiver) -> None:
    id, _ = hook(receiver)
    for _ in range(8):
        with transaction():
            newest = service.rotate_secret(id).secret
    assert len(keys.valid(id)) == 5
    assert keys.valid(id)[0] == newest


def test_a_forged_or_altered_delivery_is_noticed(receiver: Receiver, send: Send) -> None:
    _, secret = hook(receiver)
    _, other = hook(receiver)
    happen()
    send()
    came = next(each for each in receiver.received)
    right, wrong = (secret, other) if signed(came, secret) else (other, secret)
    assert signed(came, right)
    assert not signed(came, wrong)
    came.body = came.body.replace(b"low", b"own")
    assert not signed(came, right)


def signed(came: Any, secret: str) -> bool:
    try:
        came.document(secret)
    except WebhookVerificationError:
        return False
    return True


def test_a_test_arrives_at_this_one_only_be_it_active_or_not(
    client: FlaskClient, superuser: dict[str, str], receiver: Receiver, send: Send
) -> None:
    id, secret = hook(receiver, "/this", is_active=False, event_types=["lamp.low"])
    hook(receiver, "/other")
    client.post(f"/api/v1/webhooks/{id}/test", headers=superuser)
    send()
    [came] = receiver.received
    assert came.path == "/this"
    said = came.document(secret)
    assert (said["type"], said["data"]) == ("webhook.test", {"webhook_id": id})


@pytest.mark.parametrize("again", [204, 500])
def test_a_delivery_is_sent_once_more_by_hand(
    client: FlaskClient, superuser: dict[str, str], receiver: Receiver, send: Send, again: int
) -> None:
    receiver.answers = [204, again]
    id, secret = hook(receiver)
    happen("lamp.low", lamp_id=7)
    send()
    path = f"/api/v1/webhooks/{id}/deliveries/{delivery().id}"
    answer = client.post(f"{path}/redeliver", headers=superuser)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == path
    assert send() == 1
    first, second = receiver.received
    assert (first.id, first.body) == (second.id, second.body)
    second.document(secret)
    assert delivery().attempts == 2
    assert delivery().status == ("delivered" if again == 204 else "pending")


def test_what_has_failed_for_good_fails_again_at_once(
    client: FlaskClient, superuser: dict[str, str], receiver: Receiver, send: Send
) -> None:
    receiver.answers = [500]
    id, _ = hook(receiver)
    happen()
    send()
    use_up(send)
    send()
    path = f"/api/v1/webhooks/{id}/deliveries/{delivery().id}"
    client.post(f"{path}/redeliver", headers=superuser)
    assert send() == 1
    assert (delivery().status, delivery().attempts) == ("failed", len(WAITS) + 2)


def test_a_name_that_leads_inside_is_refused_when_it_is_resolved(
    app: App, receiver: Receiver, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook(receiver)
    monkeypatch.setitem(app.config, "WEBHOOK_PRIVATE_ADDRESSES", False)
    happen()
    send()
    assert receiver.received == []
    assert delivery().error == "The host has an address that is not public."
    assert (delivery().status, delivery().response_status) == ("pending", None)


def test_deliveries_go_with_their_events(receiver: Receiver, send: Send) -> None:
    hook(receiver)
    happen()
    send()
    with transaction():
        db.session.delete(db.session.scalars(select(Event)).one())
    assert deliveries() == []


def test_a_delivery_is_under_the_id_of_the_request_that_caused_it(
    client: FlaskClient,
    superuser: dict[str, str],
    receiver: Receiver,
    send: Send,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hook(receiver)
    headers = {**superuser, "X-Request-Id": "the-cause"}
    assert (
        client.patch("/api/v1/users/me", json={"bio": "New."}, headers=headers).status_code == 200
    )
    capsys.readouterr()
    assert send() == 1
    [came] = receiver.received
    assert came.headers["x-request-id"] == "the-cause"
    logged = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    told = {line["event"]: line["request_id"] for line in logged}
    assert told == {"webhook.delivered": "the-cause", "job.done": "the-cause"}
