"""The one place where text lives.

Whatever people or models wrote stands in a Content row; artifacts, steps, events, reports and findings hold its id
and digest. Erasing empties the row and keeps id, digest and size, so every chain stays valid. Nothing cascades
into these rows and nothing copies text out of them.
"""

from django.db import models

from sessions.models.ids import uuid7


class Content(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey("crucible_sessions.Project", models.PROTECT, related_name="+")
    session = models.ForeignKey("crucible_sessions.Session", models.PROTECT, null=True, related_name="contents")
    kind = models.CharField(max_length=20)
    text = models.TextField(blank=True)
    digest = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    erased_at = models.DateTimeField(null=True)
