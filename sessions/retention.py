"""Rows that have done their work: messages that were sent, replies that nobody asks for again, exports that were to be
fetched, archives that were unpacked, invitations that ended long ago."""

from datetime import timedelta

from django.db.models import Model
from django.db.models.functions import Now

from sessions.models import Delivery, IdempotencyKey, Invitation, Outbox, ProjectExport, Unpacking

BATCH = 500
# table, the column that tells its age, how long it is of use
LIFETIMES: tuple[tuple[type[Model], str, timedelta], ...] = (
    (Outbox, "sent_at", timedelta(days=7)),
    (IdempotencyKey, "created_at", timedelta(hours=24)),
    (ProjectExport, "created_at", timedelta(hours=24)),
    (Unpacking, "created_at", timedelta(hours=24)),
    (Delivery, "ended_at", timedelta(days=30)),
    (Invitation, "expires_at", timedelta(days=90)),
)


def drop_some() -> bool:
    """Delete at most BATCH old rows of each table, so that nobody waits long for a lock. Whether there may be more."""
    deleted = []
    for model, column, lifetime in LIFETIMES:
        old = model._default_manager.filter(**{f"{column}__lt": Now() - lifetime})
        batch = list(old.values_list("pk", flat=True)[:BATCH])
        deleted.append(model._default_manager.filter(pk__in=batch).delete()[0])
    return BATCH in deleted
