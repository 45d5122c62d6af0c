"""What a session decides, and which named people said so. All but policies follow from the event log."""

from django.conf import settings
from django.db import models

from sessions.gate_states import STATES
from sessions.models.ids import uuid7


class GatePolicy(models.Model):
    """One version of a project's own policy; append-only. `rules` are the other fields of `engine.policy.Policy`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey("crucible_sessions.Project", models.PROTECT, related_name="gate_policies")
    key = models.SlugField(max_length=40)
    version = models.PositiveIntegerField()
    label = models.CharField(max_length=80)
    rules = models.JSONField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["key", "-version"]
        constraints = [models.UniqueConstraint(fields=["project", "key", "version"], name="a_policy_version_is_one")]


class Gate(models.Model):
    """The gate of a session; see `sessions.gate_states`.

    `version` counts judgements, `revision` everything that happens to it: a change names the one it was made on.
    `policy` is the whole policy that judged, as plain JSON; `verdict` what it said: {outcome, reasons, needs_person,
    two_people}. `outcome` is the effective one, `because` how it came about. An open decision is `to` this outcome by
    this `act`, an override for `hours` or for ever, begun in state `origin`. `why` says why a gate is withheld or was
    judged again; `seen_seq` up to which event the evidence was looked at.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    session = models.OneToOneField("crucible_sessions.Session", models.PROTECT, related_name="gate")
    state = models.CharField(max_length=16, choices=[(state, state) for state in STATES])
    why = models.CharField(max_length=24, blank=True)
    version = models.PositiveIntegerField(default=0)
    revision = models.PositiveIntegerField(default=0)
    policy = models.JSONField()
    verdict = models.JSONField(default=dict)
    evidence_digest = models.CharField(max_length=64, blank=True)
    judged_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    origin = models.CharField(max_length=16, blank=True)
    to = models.CharField(max_length=4, blank=True)
    act = models.CharField(max_length=8, blank=True)
    hours = models.PositiveIntegerField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    seconded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    effective_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=4, blank=True)
    because = models.CharField(max_length=24, blank=True)
    override_until = models.DateTimeField(null=True)
    seen_seq = models.PositiveBigIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["state"], name="gate_by_state")]


class GateDecision(models.Model):
    """What one person did at a gate; append-only. `was` is the outcome proposed or in force, `to` the one decided on;
    `shown` the token of what they were shown. `scope` of an override: the reasons it overrides. `hours` is how long an
    override holds, None for ever. The words of `reason` can be erased, the record stays."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    gate = models.ForeignKey(Gate, models.PROTECT, related_name="decisions")
    version = models.PositiveIntegerField()
    revision = models.PositiveIntegerField()
    act = models.CharField(max_length=8)
    part = models.CharField(max_length=8)
    was = models.CharField(max_length=4)
    to = models.CharField(max_length=4)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    shown = models.CharField(max_length=64)
    self_approved = models.BooleanField(default=False)
    scope = models.JSONField(default=list)
    hours = models.PositiveIntegerField(null=True)
    reason = models.ForeignKey("crucible_sessions.Content", models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["revision"]
        constraints = [models.UniqueConstraint(fields=["gate", "revision"], name="one_decision_moves_a_gate")]
