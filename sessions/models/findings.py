"""Projections of the event log: what instances raised, and what it was merged into. The words stand in Content."""

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
    """A numbered cluster of reports. `canonical` is the report whose words stand for all."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey("crucible_sessions.Session", models.PROTECT, related_name="findings")
    number = models.PositiveIntegerField()
    rank = models.PositiveIntegerField()
    canonical = models.ForeignKey(Report, models.PROTECT, related_name="+")
    severity = models.CharField(max_length=8)
    severity_disputed = models.BooleanField()
    evidence_verified = models.BooleanField()
    raised_by = models.JSONField()
    status = models.CharField(max_length=12, default="open")

    class Meta:
        ordering = ["rank"]
        constraints = [models.UniqueConstraint(fields=["session", "number"], name="finding_numbers_are_unique")]

    @property
    def label(self) -> str:
        return f"F-{self.number:03d}"
