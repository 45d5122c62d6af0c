"""What people keep to start from again."""

import uuid

from django.db import models


class SavedTemplate(models.Model):
    """Seats and parameters of a review under a name: `seats` as in a roster, `params` as `ReviewParams` takes them."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("crucible_sessions.Project", models.CASCADE, related_name="templates")
    name = models.CharField(max_length=80)
    seats = models.JSONField(default=list)
    params = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="template_names_are_unique")]
