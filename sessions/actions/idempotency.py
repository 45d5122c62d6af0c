"""One effect per Idempotency-Key: the second POST with a key gets the first one's reply.

First the claim is committed, so that a twin can see it. Then effect and reply are committed together, and only if the
claim still stands: a process that died in between has changed nothing, and its claim lapses. Refusals change nothing
either and give the key back.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from sessions.actions.errors import Refused
from sessions.models import IdempotencyKey

KEY = re.compile(r"[\x21-\x7e]{1,255}")
CLAIM_LAPSES = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Post:
    """A POST as its sender means it: who, to which path, under which key, with which body."""

    user_id: int
    route: str
    key: str
    body: bytes

    @property
    def body_hash(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """`reply` holds codes and numbers, never text: it is kept. `replayed` when it was given before."""

    status: int
    reply: dict[str, Any]
    replayed: bool = False


def once(post: Post, act: Callable[[], Answer]) -> Answer:
    """Run `act` unless this very POST was answered before. Without a key it always runs. Raises Refused: another
    body under the same key (422), or a twin that is still running (409)."""
    if not post.key:
        return act()
    if not KEY.fullmatch(post.key):
        raise Refused("bad_idempotency_key", "An Idempotency-Key has 1 to 255 visible ASCII characters, no spaces.")
    row, is_new = IdempotencyKey.objects.get_or_create(
        user_id=post.user_id, route=post.route, key=post.key, defaults={"body_hash": post.body_hash}
    )
    if row.body_hash != post.body_hash:
        raise Refused("idempotency_mismatch", "This Idempotency-Key came with another body before. Use a new key.", 422)
    if row.status is not None:
        return Answer(row.status, row.reply or {}, replayed=True)
    return _claimed(row.pk, row.created_at if is_new else _take_over(row.pk), act)


def _take_over(pk: int) -> datetime:
    """The new time of a claim that lapsed. Raises Refused while it stands."""
    now = timezone.now()
    lapsed = IdempotencyKey.objects.filter(pk=pk, status=None, created_at__lt=Now() - CLAIM_LAPSES)
    if not lapsed.update(created_at=now):
        raise _in_flight()
    return now


def _claimed(pk: int, claimed_at: datetime, act: Callable[[], Answer]) -> Answer:
    claim = IdempotencyKey.objects.filter(pk=pk, status=None, created_at=claimed_at)
    try:
        with transaction.atomic():
            answer = act()
            if not claim.update(status=answer.status, reply=answer.reply):
                raise _in_flight()  # the claim lapsed and somebody else acts: what we did is rolled back
    except Exception:
        claim.delete()
        raise
    return answer


def _in_flight() -> Refused:
    return Refused("idempotency_in_flight", "The same request is running now. Ask again in a moment.", 409)
