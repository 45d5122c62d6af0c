"""Standards, what instances attest against them, and the certificates that come of it."""

import uuid

from django.conf import settings
from django.db import models

from sessions.models.ids import uuid7


class Standard(models.Model):
    """What artifacts of a project are certified against. Its criteria stand in its versions."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("crucible_sessions.Project", models.PROTECT, related_name="standards")
    key = models.SlugField(max_length=60)
    name = models.CharField(max_length=80)
    purpose = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "key"], name="standard_keys_are_unique")]

    def __str__(self) -> str:
        return self.name


class StandardVersion(models.Model):
    """Append-only. `content` holds the criteria as canonical JSON, a list of {id, text, mandatory, critical} and, where
    there is some, guidance; `digest` is theirs. A version without criteria retires its standard. `created_by` is nobody
    for those that come along."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    standard = models.ForeignKey(Standard, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    content = models.ForeignKey("crucible_sessions.Content", models.PROTECT, related_name="+")
    digest = models.CharField(max_length=64)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["standard", "number"], name="a_standard_version_is_one")]

    def __str__(self) -> str:
        return f"{self.standard.name}, version {self.number}"


class Attestation(models.Model):
    """What one instance says of every criterion: a projection of `attestation.submitted`. `answers` is the list of that
    event; the words stand in `content`, JSON {analysis, answers: {criterion: {reason, evidence}}}."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey("crucible_sessions.Session", models.PROTECT, related_name="attestations")
    letter = models.CharField(max_length=2)
    own = models.CharField(max_length=8, blank=True)
    derived = models.CharField(max_length=8)
    verdict = models.CharField(max_length=8)
    mismatch = models.BooleanField()
    answers = models.JSONField()
    content = models.ForeignKey("crucible_sessions.Content", models.PROTECT, related_name="+")

    class Meta:
        ordering = ["letter"]
        constraints = [models.UniqueConstraint(fields=["session", "letter"], name="an_instance_attests_once")]


class Certificate(models.Model):
    """Append-only: a projection of `certificate.issued`. `content` is the document (`engine.certificate`), canonical
    JSON, `digest` its SHA-256. It is signed when somebody fetches it, together with what it is worth by then."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey("crucible_sessions.Session", models.PROTECT, related_name="certificates")
    content = models.ForeignKey("crucible_sessions.Content", models.PROTECT, related_name="+")
    digest = models.CharField(max_length=64)
    issued_at = models.DateTimeField()

    class Meta:
        ordering = ["-issued_at"]
