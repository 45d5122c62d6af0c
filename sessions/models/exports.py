"""Everything of a project as one file."""

import uuid

from django.conf import settings
from django.db import models


class ProjectExport(models.Model):
    """A zip of a whole project, made by a worker and kept in pieces for a day."""

    class State(models.TextChoices):
        WAITING = "waiting"
        READY = "ready"
        FAILED = "failed"

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("crucible_sessions.Project", models.CASCADE, related_name="exports")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    lease_until = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    size = models.PositiveBigIntegerField(default=0)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]


class ExportPiece(models.Model):
    """Some of an export's bytes. In the database, because the worker that makes it and the web process that hands it
    out may be different machines."""

    export = models.ForeignKey(ProjectExport, models.CASCADE, related_name="pieces")
    position = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["export", "position"], name="a_piece_has_one_position")]
