"""What is reviewed: named artifacts with versions that are identified by their content hash."""

import uuid

from django.conf import settings
from django.db import models

from sessions.models.ids import uuid7


class Artifact(models.Model):
    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("crucible_sessions.Project", models.PROTECT, related_name="artifacts")
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name


class ArtifactVersion(models.Model):
    """`digest` is the SHA-256 of the text; the same text is the same version. `notices` are codes of what reading
    changed (an encoding guessed, controls removed); `likely_secrets` counts what `reading.secrets_scan` found."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    artifact = models.ForeignKey(Artifact, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    content = models.ForeignKey("crucible_sessions.Content", models.PROTECT, related_name="+")
    digest = models.CharField(max_length=64)
    lines = models.PositiveIntegerField()
    notices = models.JSONField(default=list)
    likely_secrets = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["artifact", "number"], name="version_numbers_are_unique"),
            models.UniqueConstraint(fields=["artifact", "digest"], name="same_text_is_same_version"),
        ]


class Roster(models.Model):
    """A saved set of seats: `[{name, role, model_id, temperature, focus, fallback}]`, validated by
    `sessions.seats.Seat`."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("crucible_sessions.Project", models.CASCADE, related_name="rosters")
    name = models.CharField(max_length=80)
    seats = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="roster_names_are_unique")]
