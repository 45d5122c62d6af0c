"""Pull requests as artifacts, and how many likely secrets an artifact version holds."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("crucible_sessions", "0006_session_estimate"),
    ]

    operations = [
        migrations.AddField("artifactversion", "likely_secrets", models.PositiveSmallIntegerField(default=0)),
        migrations.CreateModel(
            name="Repository",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=140)),
                ("api_url", models.CharField(max_length=200)),
                ("sealed_token", models.BinaryField(null=True)),
                ("token_hint", models.CharField(blank=True, editable=False, max_length=4)),
                ("changed_at", models.DateTimeField(auto_now=True)),
                (
                    "changed_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "project",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="repository",
                        to="crucible_sessions.project",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PullRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("api_url", models.CharField(max_length=200)),
                ("repository", models.CharField(max_length=140)),
                ("number", models.PositiveIntegerField()),
                ("comment_id", models.PositiveBigIntegerField(null=True)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="pull_requests",
                        to="crucible_sessions.project",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("project", "api_url", "repository", "number"), name="a_pull_request_is_known_once"
                    )
                ]
            },
        ),
        migrations.CreateModel(
            name="PullRequestHead",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sha", models.CharField(max_length=64)),
                ("fetched_at", models.DateTimeField(auto_now=True)),
                (
                    "pull_request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="heads",
                        to="crucible_sessions.pullrequest",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="pull_request_heads",
                        to="crucible_sessions.artifactversion",
                    ),
                ),
            ],
            options={
                "ordering": ["-fetched_at", "-id"],
                "constraints": [models.UniqueConstraint(fields=("version", "sha"), name="a_head_is_kept_once")],
            },
        ),
    ]
