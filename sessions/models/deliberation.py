"""Rounds of a deliberation as they were published, and who held what in them. Append-only: nothing changes them."""

from django.db import models

from sessions.models.ids import uuid7


class Round(models.Model):
    """A complete round. `generation` counts retries of the session: each publishes rounds of its own.

    `mode` is blind | assessment | confirmation; `attempt` 2 when too few answered at first; `definition` the digest
    of what was asked. Shares are basis points, null where there is none. `findings` and `closed` are as in the event
    `round.published` (`engine.rounds`), `missing` is `[{letter, code}]`. `words` is a JSON list of
    {rationale, evidence, value}, one for each position in its order. `seal` chains the rounds of a generation.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey("crucible_sessions.Session", models.PROTECT, related_name="rounds")
    generation = models.PositiveIntegerField()
    number = models.PositiveSmallIntegerField()
    mode = models.CharField(max_length=12)
    attempt = models.PositiveSmallIntegerField()
    definition = models.CharField(max_length=64)
    answered = models.JSONField()
    empty_lists = models.JSONField()
    about = models.JSONField(null=True)
    missing = models.JSONField()
    quorum = models.PositiveSmallIntegerField()
    agreement_bp = models.PositiveIntegerField(null=True)
    same_set_bp = models.PositiveIntegerField(null=True)
    stability_bp = models.PositiveIntegerField(null=True)
    findings = models.JSONField()
    closed = models.JSONField()
    cost_microcredits = models.BigIntegerField()
    words = models.ForeignKey("crucible_sessions.Content", models.PROTECT, related_name="+")
    synthesis = models.ForeignKey("crucible_sessions.Content", models.PROTECT, null=True, related_name="+")
    writer = models.CharField(max_length=2, blank=True)
    seal = models.CharField(max_length=64)
    published_at = models.DateTimeField()

    class Meta:
        ordering = ["generation", "number"]
        constraints = [
            models.UniqueConstraint(fields=["session", "generation", "number"], name="a_round_is_published_once")
        ]


class Position(models.Model):
    """What one instance held of one version of a finding in a round; its words are number `ordinal` of the round's.

    `stance` agree | amend | disagree | abstain; `field` and `material` say what it amends; `severity` is the one it
    gives, `confidence` percent. `verified`: its quote stands in the artifact; `explained`: the reason it names for a
    change resolves. Of several on one finding the last counts.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey("crucible_sessions.Session", models.PROTECT, related_name="positions")
    round = models.ForeignKey(Round, models.PROTECT, related_name="positions")
    ordinal = models.PositiveIntegerField()
    letter = models.CharField(max_length=2)
    number = models.PositiveIntegerField()
    version = models.PositiveSmallIntegerField()
    stance = models.CharField(max_length=10)
    field = models.CharField(max_length=12, blank=True)
    material = models.BooleanField()
    severity = models.CharField(max_length=8, blank=True)
    confidence = models.PositiveSmallIntegerField()
    verified = models.BooleanField()
    explained = models.BooleanField()

    class Meta:
        ordering = ["round", "ordinal"]
        constraints = [models.UniqueConstraint(fields=["round", "ordinal"], name="a_position_is_taken_once")]
