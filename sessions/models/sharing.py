"""Links to a session's report."""

import uuid

from django.conf import settings
from django.db import models


class ReportLink(models.Model):
    """Whoever has the link may read the report of one session until it ends: people who are signed in, or, when it is
    `public`, everybody. Of its token only the SHA-256 is kept."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    session = models.ForeignKey("crucible_sessions.Session", models.CASCADE, related_name="report_links")
    digest = models.CharField(max_length=64, unique=True)
    public = models.BooleanField(default=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
