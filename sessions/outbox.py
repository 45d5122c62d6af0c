"""Messages to the world, sent at least once: written with the change that made them necessary, sent after the commit,
and again by the sweeper when that did not happen. A kind is one row in `SENDERS`."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from sessions.models import Outbox

logger = logging.getLogger(__name__)

RESEND_AFTER = timedelta(seconds=5)
BATCH = 100


def _dispatch(payload: dict[str, Any]) -> None:
    from sessions import execution

    execution.dispatch(payload["session"])


SENDERS: dict[str, Callable[[dict[str, Any]], None]] = {"dispatch": _dispatch}


def post(kind: str, **payload: Any) -> None:
    """Write a message in the caller's transaction and send it once that has committed."""
    row = Outbox.objects.create(kind=kind, payload=payload)
    transaction.on_commit(lambda: _send(row.pk, kind, payload))


def send_due() -> None:
    """Send what an earlier try did not."""
    rows = Outbox.objects.filter(sent_at=None, created_at__lt=Now() - RESEND_AFTER).order_by("created_at")[:BATCH]
    for row in rows:
        _send(row.pk, row.kind, row.payload)


def _send(pk: UUID, kind: str, payload: dict[str, Any]) -> None:
    try:
        SENDERS[kind](payload)
    except Exception:  # noqa: BLE001 - any failure means the same: it stays unsent and the sweeper comes back
        logger.warning("message %s of kind %s not sent yet", pk, kind)
        return
    Outbox.objects.filter(pk=pk).update(sent_at=timezone.now())
