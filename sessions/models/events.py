"""What happened, in order, for ever; and what has to be told to the world because of it."""

from django.conf import settings
from django.db import models

from sessions.models.ids import uuid7


class Event(models.Model):
    """Append-only. `data` holds ids, digests and numbers, never text. `digest` chains to the event before.
    `key` is the path of a pattern's note: the same note is appended once."""

    id = models.BigAutoField(primary_key=True)
    session = models.ForeignKey("crucible_sessions.Session", models.PROTECT, related_name="events")
    seq = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=220, null=True)  # noqa: DJ001 - unique per session, and most have none
    data = models.JSONField()
    digest = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        ordering = ["session_id", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["session", "seq"], name="event_seq_is_unique"),
            models.UniqueConstraint(fields=["session", "key"], name="a_note_is_appended_once"),
        ]


class Outbox(models.Model):
    """A message to send at least once, written in the transaction that made it necessary. `payload` holds ids."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=20)
    payload = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="outbox_unsent", condition=models.Q(sent_at=None))]


class IdempotencyKey(models.Model):
    """The reply to a POST, replayed when the same key comes again. `reply` holds codes and ids, never text."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    route = models.CharField(max_length=120)
    key = models.CharField(max_length=255)
    body_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    reply = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "route", "key"], name="an_idempotency_key_is_used_once")]
