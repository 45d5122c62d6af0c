"""Connecting models, and where a project's files may be sent."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("crucible_sessions", "0003_team")]

    operations = [
        migrations.AddField(
            "provider", "maker", models.CharField(blank=True, max_length=20, default=""), preserve_default=False
        ),
        migrations.AddField("provider", "offered", models.JSONField(default=list, editable=False)),
        migrations.AddField("provider", "offered_at", models.DateTimeField(editable=False, null=True)),
        migrations.AddField("languagemodel", "checked_at", models.DateTimeField(editable=False, null=True)),
        migrations.AddField(
            "languagemodel",
            "check_code",
            models.CharField(blank=True, editable=False, max_length=40, default=""),
            preserve_default=False,
        ),
        migrations.AddField("languagemodel", "check_ms", models.PositiveIntegerField(editable=False, null=True)),
        migrations.AddField("languagemodel", "check_cost", models.BigIntegerField(editable=False, null=True)),
        migrations.AddField("languagemodel", "removed_at", models.DateTimeField(editable=False, null=True)),
        migrations.AddField("project", "allowed_providers", models.JSONField(default=list)),
        migrations.AddField("project", "local_only", models.BooleanField(default=False)),
    ]
