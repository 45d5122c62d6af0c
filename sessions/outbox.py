"""Messages to the world, sent at least once: written with the change that made them necessary, sent after the commit,
and again by the sweeper when that did not happen. A kind is one row in `SENDERS`."""

import logging
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from sessions import rows
from sessions.models import Outbox
from sessions.models.ids import uuid7

logger = logging.getLogger(__name__)

RESEND_AFTER = timedelta(seconds=5)
BATCH = 100

Payloads = Sequence[dict[str, Any]]


class Message(NamedTuple):
    id: UUID
    kind: str
    payload: dict[str, Any]


def _dispatch(payloads: Payloads) -> None:
    from sessions import execution

    execution.dispatch(*(payload["session"] for payload in payloads))


def _announce(payloads: Payloads) -> None:
    from sessions.actions.notifications import announce

    announce(payloads)


SENDERS: dict[str, Callable[[Payloads], None]] = {"dispatch": _dispatch, "announce": _announce}


_waiting: deque[Message] = deque()
_sending = threading.Lock()


def post(kind: str, **payload: Any) -> None:
    """Write a message in the caller's transaction and send it once that has committed."""
    message = Message(uuid7(), kind, payload)
    rows.put(Outbox, ("kind", "payload"), [message._asdict()])
    transaction.on_commit(lambda: _send(message))


def send_due() -> None:
    """Send what an earlier try did not."""
    due = Outbox.objects.filter(sent_at=None, created_at__lt=Now() - RESEND_AFTER).order_by("created_at")[:BATCH]
    _send(*(Message(row.pk, row.kind, row.payload) for row in due))


def _send(*messages: Message) -> None:
    """Return when they were sent or could not be. Who comes while others send waits for them and then sends all that
    came meanwhile in one go: many starts at once cost a few doorbells and a few commits."""
    _waiting.extend(messages)
    with _sending:
        kinds: dict[str, list[Message]] = defaultdict(list)
        for _ in range(len(_waiting)):
            message = _waiting.popleft()
            kinds[message.kind].append(message)
        now = timezone.now()
        sent = [{"id": key, "sent_at": now} for kind, found in kinds.items() for key in _sent(kind, found)]
        if sent:
            rows.patch(Outbox, ("id",), ("sent_at",), sent)


def _sent(kind: str, messages: Sequence[Message]) -> list[UUID]:
    """The ids of those that were sent; when they could not be together, each is tried alone."""
    try:
        SENDERS[kind]([message.payload for message in messages])
    except Exception:  # noqa: BLE001 - any failure means the same: it stays unsent and the sweeper comes back
        if len(messages) > 1:
            return [key for message in messages for key in _sent(kind, [message])]
        logger.warning("message %s of kind %s not sent yet", messages[0].id, kind)
        return []
    return [message.id for message in messages]
