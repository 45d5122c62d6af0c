"""What has done its work goes, and nothing else does."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from crucible_site.models import User
from sessions.models import IdempotencyKey, Outbox
from sessions.retention import BATCH, drop_some
from sessions.worker import worker
from tests.driving import until

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)


def message(age: timedelta, *, sent: bool = True) -> Outbox:
    row = Outbox.objects.create(kind="dispatch", payload={"session": 1})
    row.created_at -= age
    row.sent_at = row.created_at if sent else None
    row.save()
    return row


def reply(user: User, age: timedelta, key: str = "k", **fields: Any) -> IdempotencyKey:
    row = IdempotencyKey.objects.create(user=user, route="/", key=key, body_hash="0" * 64, **fields)
    IdempotencyKey.objects.filter(pk=row.pk).update(created_at=F("created_at") - age)
    return row


def test_a_message_goes_a_week_after_it_was_sent() -> None:
    message(8 * DAY)
    kept = [message(6 * DAY), message(30 * DAY, sent=False)]
    drop_some()
    assert set(Outbox.objects.all()) == set(kept)


def test_an_idempotency_key_goes_a_day_after_it_was_used(owner: User) -> None:
    reply(owner, timedelta(hours=25), "old", status=201, reply={})
    reply(owner, timedelta(hours=25), "claimed by somebody who died")
    kept = reply(owner, timedelta(hours=23), "new", status=201, reply={})
    drop_some()
    assert set(IdempotencyKey.objects.all()) == {kept}


def test_no_batch_is_larger_than_it_may_be_and_the_last_one_says_so(owner: User) -> None:
    IdempotencyKey.objects.bulk_create(
        IdempotencyKey(user=owner, route="/", key=str(number), body_hash="") for number in range(BATCH + 1)
    )
    IdempotencyKey.objects.update(created_at=F("created_at") - 2 * DAY)
    assert (drop_some(), IdempotencyKey.objects.count()) == (True, 1)
    assert (drop_some(), IdempotencyKey.objects.count()) == (False, 0)


def test_a_worker_drops_what_is_old(owner: User) -> None:
    message(8 * DAY)
    reply(owner, 2 * DAY)
    worker()
    until(lambda: not Outbox.objects.exists() and not IdempotencyKey.objects.exists())
