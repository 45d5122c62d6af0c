import uuid
from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import sessions.models.ids

PROTECT = django.db.models.deletion.PROTECT


def uuid7() -> Any:
    return models.UUIDField(default=sessions.models.ids.uuid7, editable=False, primary_key=True, serialize=False)


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("crucible_sessions", "0008_saved_templates"),
    ]

    operations = [
        migrations.CreateModel(
            name="Standard",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("key", models.SlugField(max_length=60)),
                ("name", models.CharField(max_length=80)),
                ("purpose", models.CharField(blank=True, max_length=300)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "project",
                    models.ForeignKey(on_delete=PROTECT, related_name="standards", to="crucible_sessions.project"),
                ),
            ],
            options={
                "ordering": ["name"],
                "constraints": [models.UniqueConstraint(fields=("project", "key"), name="standard_keys_are_unique")],
            },
        ),
        migrations.CreateModel(
            name="StandardVersion",
            fields=[
                ("id", uuid7()),
                ("number", models.PositiveIntegerField()),
                ("digest", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "content",
                    models.ForeignKey(on_delete=PROTECT, related_name="+", to="crucible_sessions.content"),
                ),
                (
                    "created_by",
                    models.ForeignKey(null=True, on_delete=PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
                ),
                (
                    "standard",
                    models.ForeignKey(on_delete=PROTECT, related_name="versions", to="crucible_sessions.standard"),
                ),
            ],
            options={
                "ordering": ["-number"],
                "constraints": [
                    models.UniqueConstraint(fields=("standard", "number"), name="a_standard_version_is_one")
                ],
            },
        ),
        migrations.CreateModel(
            name="Attestation",
            fields=[
                ("id", uuid7()),
                ("letter", models.CharField(max_length=2)),
                ("own", models.CharField(blank=True, max_length=8)),
                ("derived", models.CharField(max_length=8)),
                ("verdict", models.CharField(max_length=8)),
                ("mismatch", models.BooleanField()),
                ("answers", models.JSONField()),
                (
                    "content",
                    models.ForeignKey(on_delete=PROTECT, related_name="+", to="crucible_sessions.content"),
                ),
                (
                    "session",
                    models.ForeignKey(on_delete=PROTECT, related_name="attestations", to="crucible_sessions.session"),
                ),
            ],
            options={
                "ordering": ["letter"],
                "constraints": [models.UniqueConstraint(fields=("session", "letter"), name="an_instance_attests_once")],
            },
        ),
        migrations.CreateModel(
            name="Certificate",
            fields=[
                ("id", uuid7()),
                ("digest", models.CharField(max_length=64)),
                ("issued_at", models.DateTimeField()),
                (
                    "content",
                    models.ForeignKey(on_delete=PROTECT, related_name="+", to="crucible_sessions.content"),
                ),
                (
                    "session",
                    models.ForeignKey(on_delete=PROTECT, related_name="certificates", to="crucible_sessions.session"),
                ),
            ],
            options={"ordering": ["-issued_at"]},
        ),
    ]
