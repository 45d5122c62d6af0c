"""What a session paid for, once. Steps are keyed by path; an attempt is committed before its request leaves."""

from django.db import models

from sessions.models.ids import uuid7


class Step(models.Model):
    """One answer of one model, or one observation. `kind` is call or observation.

    `state` running | done | failed. `output` is the answer's text; `result` holds the numbers of a Reply or an
    observation's value (ids and numbers only).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey("crucible_sessions.Session", models.PROTECT, related_name="steps")
    generation = models.PositiveIntegerField(default=0)
    path = models.CharField(max_length=200)
    kind = models.CharField(max_length=12, default="call")
    letter = models.CharField(max_length=2, blank=True)
    fingerprint = models.CharField(max_length=64)
    code_version = models.CharField(max_length=16)
    state = models.CharField(max_length=8, default="running")
    error_code = models.CharField(max_length=40, blank=True)
    output = models.ForeignKey("crucible_sessions.Content", models.PROTECT, null=True, related_name="+")
    result = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["session", "generation", "path"], name="a_step_is_recorded_once")
        ]


class Attempt(models.Model):
    """One HTTP request to a provider. `state` running | delivered | failed | lost.

    A lost attempt belongs to a worker that died or was fenced off: whether the provider billed it nobody knows, and
    nobody here pays for it. `cost_microcredits` is null when the price is unknown.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    step = models.ForeignKey(Step, models.PROTECT, related_name="attempts")
    session = models.ForeignKey("crucible_sessions.Session", models.PROTECT, related_name="attempts")
    ordinal = models.PositiveSmallIntegerField()
    fence = models.PositiveIntegerField()
    letter = models.CharField(max_length=2, blank=True)
    model_id = models.CharField(max_length=100)
    request_hash = models.CharField(max_length=64)
    state = models.CharField(max_length=10, default="running")
    error_code = models.CharField(max_length=40, blank=True)
    prompt_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    cached_tokens = models.PositiveIntegerField(default=0)
    usage_reported = models.BooleanField(default=False)
    held_microcredits = models.BigIntegerField(default=0)
    cost_microcredits = models.BigIntegerField(null=True)
    first_token_ms = models.PositiveIntegerField(null=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["started_at", "id"]
        constraints = [models.UniqueConstraint(fields=["step", "ordinal"], name="an_attempt_is_recorded_once")]
