"""Links that let one person into a project."""

import uuid

from django.conf import settings
from django.db import models

from sessions.models.projects import Role


class Invitation(models.Model):
    """A link that works once. Of its tokens, the one that was shown and the one that was mailed, only the SHA-256 is
    kept. With an `email` only the person who has that address may use it."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("crucible_sessions.Project", models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=12, choices=Role.choices, default=Role.MEMBER)
    email = models.EmailField(blank=True)
    digest = models.CharField(max_length=64, unique=True)
    mailed_digest = models.CharField(max_length=64, unique=True, null=True)  # noqa: DJ001 - unique, and most have none
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)
    used_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["-created_at"]
