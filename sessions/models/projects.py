"""Projects, who belongs to them, and the keys that act for a person in one."""

import uuid

from django.conf import settings
from django.db import models


class Role(models.TextChoices):
    OWNER = "owner"
    MODERATOR = "moderator"
    APPROVER = "approver"
    MEMBER = "member"
    VIEWER = "viewer"


class Notify(models.TextChoices):
    """Of which sessions a member gets mail."""

    MINE = "mine", "reviews I started"
    ALL = "all", "all reviews"
    NONE = "none", "none"


class SeparateApprover(models.TextChoices):
    """When somebody else than the starter of a session has to decide on its gate."""

    NONE = "none", "never: whoever starts a session may decide alone"
    OVERRIDE = "override", "for overrides: the starter may approve what is proposed, which is recorded"
    ALWAYS = "always", "always"


class Project(models.Model):
    """`allowed_providers` (names; none: all) and `local_only` say where its files may be sent."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    is_demo = models.BooleanField(default=False)
    allowed_providers = models.JSONField(default=list)
    local_only = models.BooleanField(default=False)
    separate_approver = models.CharField(
        max_length=8, choices=SeparateApprover.choices, default=SeparateApprover.OVERRIDE
    )
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    # Days after which sessions and artifacts are erased, and who wanted it; None: they stay.
    retention_days = models.PositiveSmallIntegerField(null=True, blank=True)
    retention_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, through="Membership", related_name="projects")

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    project = models.ForeignKey(Project, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role.choices, default=Role.MEMBER)
    notify = models.CharField(max_length=4, choices=Notify.choices, default=Notify.MINE)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="one_membership_per_project")]


class ApiKey(models.Model):
    """Acts for `user` in `project`, never beyond the user's role there. Only the SHA-256 of the key is kept."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="api_keys")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
