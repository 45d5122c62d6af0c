"""Pull requests as artifacts: the repository of a project, and what was fetched of which pull request."""

from django.conf import settings
from django.db import models


class Repository(models.Model):
    """Where a project's pull requests are. The token is sealed for this project and host; nobody can read it again."""

    project = models.OneToOneField("crucible_sessions.Project", models.CASCADE, related_name="repository")
    name = models.CharField(max_length=140)
    api_url = models.CharField(max_length=200)
    sealed_token = models.BinaryField(null=True, editable=False)
    token_hint = models.CharField(max_length=4, blank=True, editable=False)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    changed_at = models.DateTimeField(auto_now=True)


class PullRequest(models.Model):
    """One pull request that was reviewed here. `comment_id` is our one comment there."""

    project = models.ForeignKey("crucible_sessions.Project", models.CASCADE, related_name="pull_requests")
    api_url = models.CharField(max_length=200)
    repository = models.CharField(max_length=140)
    number = models.PositiveIntegerField()
    comment_id = models.PositiveBigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "api_url", "repository", "number"], name="a_pull_request_is_known_once"
            )
        ]


class PullRequestHead(models.Model):
    """The commit whose diff an artifact version is. After a force-push the same diff may belong to another commit."""

    pull_request = models.ForeignKey(PullRequest, models.CASCADE, related_name="heads")
    version = models.ForeignKey("crucible_sessions.ArtifactVersion", models.CASCADE, related_name="pull_request_heads")
    sha = models.CharField(max_length=64)
    fetched_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-fetched_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["version", "sha"], name="a_head_is_kept_once")]
