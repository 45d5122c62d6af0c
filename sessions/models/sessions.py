"""The session, its instances and what they read."""

import uuid

from django.conf import settings
from django.db import models

from sessions.models.ids import uuid7
from sessions.states import STATUSES


class Session(models.Model):
    """One piece of work by several instances.

    `next_seq` and `chain_head` are taken together with the fence test, in one statement, by whoever appends events.
    `fence` grows with every take-over; a worker whose fence is old can write nothing. `generation` grows with
    every retry: steps of earlier generations are reused when their fingerprint still fits. `phase` is what is being
    run now (`sessions.kinds`). `previous` is the session this one continues with a new version; `reuses` one with the
    same `input_digest`, whose recorded answers are taken instead of asking again. In a fork `reuses` is the session
    that was forked, and `fork_round` how many of its rounds are taken as they were, 0 for a kind without rounds; null:
    no fork. `estimate` is what it was expected to cost and take when it was started (`sessions.queries.estimate`).
    `decision` is the artifact that the decision of a deliberation becomes a version of; hidden until there is one.
    """

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("crucible_sessions.Project", models.PROTECT, related_name="sessions")
    kind = models.CharField(max_length=16)
    title = models.CharField(max_length=160, blank=True)
    brief = models.ForeignKey("crucible_sessions.Content", models.PROTECT, null=True, related_name="+")
    params = models.JSONField(default=dict)
    soft_cap_microcredits = models.BigIntegerField(null=True, blank=True)
    hard_cap_microcredits = models.BigIntegerField(null=True, blank=True)
    nonce_seed = models.CharField(max_length=64, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    status = models.CharField(max_length=16, default="draft", choices=[(status, status) for status in STATUSES])
    waiting_for = models.CharField(max_length=16, blank=True)
    outcome = models.CharField(max_length=32, blank=True)
    reason = models.CharField(max_length=64, blank=True)
    engine = models.CharField(max_length=10, blank=True)
    phase = models.CharField(max_length=16, default="review")
    previous = models.ForeignKey("self", models.PROTECT, null=True, related_name="continued_by")
    decision = models.ForeignKey("crucible_sessions.Artifact", models.PROTECT, null=True, related_name="+")
    reuses = models.ForeignKey("self", models.PROTECT, null=True, related_name="reused_by")
    fork_round = models.PositiveSmallIntegerField(null=True)
    input_digest = models.CharField(max_length=64, blank=True)
    spec = models.ForeignKey("crucible_sessions.Content", models.PROTECT, null=True, related_name="+")
    summary = models.ForeignKey("crucible_sessions.Content", models.PROTECT, null=True, related_name="+")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)

    owner = models.CharField(max_length=80, blank=True)
    fence = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    recoveries = models.PositiveSmallIntegerField(default=0)
    generation = models.PositiveIntegerField(default=0)
    next_seq = models.PositiveBigIntegerField(default=1)
    chain_head = models.CharField(max_length=64, blank=True)
    cost_microcredits = models.BigIntegerField(default=0)
    price_unknown = models.BooleanField(default=False)
    estimate = models.JSONField(null=True, editable=False)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["project", "-created_at"], name="session_by_project"),
            models.Index(fields=["project", "input_digest"], name="session_by_input"),
            models.Index(
                fields=["status", "lease_until"],
                name="session_due",
                condition=models.Q(status__in=["queued", "running"]),
            ),
        ]


class Participant(models.Model):
    """One instance in one session. `letter` is its name in keys and events, `name` what people call it. `fallback` is
    asked in its place where its own model fails for good; null: then it is missing. In a fork it may
    take part from `first_round` on only, or until `last_round`; null: to the end."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey(Session, models.PROTECT, related_name="participants")
    letter = models.CharField(max_length=2)
    name = models.CharField(max_length=80)
    role = models.CharField(max_length=16)
    language_model = models.ForeignKey("crucible_sessions.LanguageModel", models.PROTECT, related_name="+")
    fallback = models.ForeignKey("crucible_sessions.LanguageModel", models.PROTECT, null=True, related_name="+")
    temperature = models.DecimalField(max_digits=3, decimal_places=2, null=True)
    focus = models.TextField(blank=True)
    simulated = models.BooleanField(default=False)
    state = models.CharField(max_length=12, default="waiting")
    error_code = models.CharField(max_length=40, blank=True)
    state_at = models.DateTimeField(null=True)
    read_in_part = models.BooleanField(default=False)
    partial = models.BooleanField(default=False)
    first_round = models.PositiveSmallIntegerField(default=1)
    last_round = models.PositiveSmallIntegerField(null=True)

    class Meta:
        ordering = ["letter"]
        constraints = [models.UniqueConstraint(fields=["session", "letter"], name="letters_are_unique")]


class SessionSource(models.Model):
    """An artifact version a session reads. `context` ones are read but not judged."""

    session = models.ForeignKey(Session, models.PROTECT, related_name="sources")
    version = models.ForeignKey("crucible_sessions.ArtifactVersion", models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField()
    context = models.BooleanField(default=False)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["session", "version"], name="a_source_is_read_once")]
