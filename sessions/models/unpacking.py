"""Archives that wait to be unpacked."""

import uuid

from django.conf import settings
from django.db import models


class Unpacking(models.Model):
    """One ZIP archive somebody brought, unpacked by a worker. `data` is the archive and empty once it has ended;
    `artifacts` are the codes of what was kept of it, `unread` what was not (`reading.Refusal` as dictionaries). A
    failure is an archive of which nothing was kept: `unread` says why. It stays for a day."""

    class State(models.TextChoices):
        WAITING = "waiting"
        DONE = "done"
        FAILED = "failed"

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("crucible_sessions.Project", models.CASCADE, related_name="unpackings")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    name = models.CharField(max_length=200)
    data = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    lease_until = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    artifacts = models.JSONField(default=list)
    unread = models.JSONField(default=list)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["created_at"], name="unpacking_due", condition=models.Q(state="waiting"))]
