"""Projections of the event log: what instances raised, what it was merged into, what others and people say of it. The
words stand in Content."""

from django.conf import settings
from django.db import models

from sessions.models.ids import uuid7


class Report(models.Model):
    """One defect as one instance raised it: item `ordinal` of the JSON list in `content`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey("crucible_sessions.Session", models.PROTECT, related_name="reports")
    letter = models.CharField(max_length=2)
    ordinal = models.PositiveSmallIntegerField()
    content = models.ForeignKey("crucible_sessions.Content", models.PROTECT, related_name="+")
    severity = models.CharField(max_length=8)
    family = models.CharField(max_length=16)
    confidence = models.PositiveSmallIntegerField(help_text="percent")
    evidence_verified = models.BooleanField()
    flags = models.JSONField(default=list)
    source = models.ForeignKey("crucible_sessions.ArtifactVersion", models.PROTECT, null=True, related_name="+")
    start_line = models.PositiveIntegerField(null=True)
    end_line = models.PositiveIntegerField(null=True)
    finding = models.ForeignKey("Finding", models.PROTECT, null=True, related_name="reports", db_constraint=False)

    class Meta:
        ordering = ["letter", "ordinal"]
        constraints = [models.UniqueConstraint(fields=["session", "letter", "ordinal"], name="a_report_is_raised_once")]


class Finding(models.Model):
    """A numbered cluster of reports. `canonical` is the report whose words stand for all.

    `status` open | merged says whether it stands for itself. `disposition` open | to_fix | dismissed | fixed is what
    people decided, `carried` when the decision comes from an earlier session, whose finding is `earlier_number`.
    `revision` grows with everything people change, so that nobody overwrites what they have not seen.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey("crucible_sessions.Session", models.PROTECT, related_name="findings")
    number = models.PositiveIntegerField()
    rank = models.PositiveIntegerField()
    canonical = models.ForeignKey(Report, models.PROTECT, related_name="+")
    severity = models.CharField(max_length=8)
    severity_disputed = models.BooleanField()
    person_severity = models.CharField(max_length=8, blank=True)
    evidence_verified = models.BooleanField()
    raised_by = models.JSONField()
    fingerprint = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=12, default="open")
    merged_into = models.ForeignKey("self", models.PROTECT, null=True, related_name="+", db_constraint=False)
    disposition = models.CharField(max_length=10, default="open")
    dismissed_because = models.CharField(max_length=10, blank=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    carried = models.BooleanField(default=False)
    earlier_number = models.PositiveIntegerField(null=True)
    revision = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["rank"]
        constraints = [models.UniqueConstraint(fields=["session", "number"], name="finding_numbers_are_unique")]

    @property
    def label(self) -> str:
        return f"F-{self.number:03d}"

    @property
    def weight(self) -> str:
        """The severity that counts: a person's word before the instances' median."""
        return self.person_severity or self.severity


class Opinion(models.Model):
    """What an instance that did not raise a finding says of it: confirmed, refuted or cannot_tell; missing when it gave
    no usable answer, with an error code. `content` is JSON {analysis, evidence, confidence}."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey("crucible_sessions.Session", models.PROTECT, related_name="opinions")
    number = models.PositiveIntegerField()
    letter = models.CharField(max_length=2)
    verdict = models.CharField(max_length=12)
    evidence_verified = models.BooleanField(default=False)
    error_code = models.CharField(max_length=40, blank=True)
    content = models.ForeignKey("crucible_sessions.Content", models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["number", "letter"]
        constraints = [models.UniqueConstraint(fields=["session", "number", "letter"], name="an_opinion_is_given_once")]


class FindingComment(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey("crucible_sessions.Session", models.PROTECT, related_name="finding_comments")
    number = models.PositiveIntegerField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    content = models.ForeignKey("crucible_sessions.Content", models.PROTECT, related_name="+")

    class Meta:
        ordering = ["at", "id"]
