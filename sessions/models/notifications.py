"""What people are told outside of the pages, and how that went."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from sessions.models.ids import uuid7


class Webhook(models.Model):
    """Where a project's notifications are posted. The address is a secret: whoever has it can post there."""

    class Shape(models.TextChoices):
        TEXT = "text", 'Slack, Mattermost, Teams connector: {"text": …}'
        CARD = "card", "Teams workflow: an adaptive card"

    project = models.OneToOneField("crucible_sessions.Project", models.CASCADE, related_name="webhook")
    sealed_url = models.BinaryField()
    host = models.CharField(max_length=255)
    shape = models.CharField(max_length=4, choices=Shape.choices, default=Shape.TEXT)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    changed_at = models.DateTimeField(auto_now=True)


class Delivery(models.Model):
    """One message to the world outside and its tries. `cause` and `recipient` make it once however often its cause is
    seen; `code` is an HTTP status or an error code, never words of the other side."""

    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        GIVEN_UP = "given_up", "given up"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    cause = models.UUIDField()
    recipient = models.CharField(max_length=40)
    what = models.CharField(max_length=12)
    project = models.ForeignKey("crucible_sessions.Project", models.CASCADE, related_name="deliveries")
    session = models.ForeignKey("crucible_sessions.Session", models.CASCADE, null=True, related_name="+")
    invitation = models.ForeignKey("crucible_sessions.Invitation", models.CASCADE, null=True, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField(db_default=Now())
    tries = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    code = models.CharField(max_length=40, blank=True)
    milliseconds = models.PositiveIntegerField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["cause", "recipient"], name="a_delivery_is_made_once")]
        indexes = [models.Index(fields=["due_at"], name="delivery_due", condition=models.Q(state="waiting"))]
