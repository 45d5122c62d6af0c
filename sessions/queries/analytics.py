"""What a session used: per instance and per stage, from its attempts and findings."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from statistics import median_low
from typing import Any

from sessions.models import Attempt, Event, Finding, Participant, Session
from sessions.queries.findings import MERGED

STAGES = ("brief", "review", "opinion", "assess", "synthesis", "decision", "summary", "certify")
CONFIRMED = frozenset({"to_fix", "fixed"})
DECISION = 99
_ROUND = re.compile(r"/round-(\d+)")
_FAILED = frozenset({"failed", "lost"})


@dataclass(frozen=True, slots=True)
class InstanceFigures:
    """`answered_by` are the models its answers came from: another than `model_id` is its fallback. A call is one
    question, an attempt one request. Tokens and cost are of attempts that ended; `calls_running` have
    one under way. `p50_ms` and `p95_ms` are of answered attempts (nearest rank), `first_token_ms` is their median;
    `cost_by_stage` is micro-credits; `failures` counts attempts by error code. Findings: those it raised, those nobody
    else saw, and of both those that people confirmed (marked to fix or fixed). `cost_per_confirmed` is None while they
    confirmed none of its findings."""

    letter: str
    name: str
    model_id: str
    answered_by: tuple[str, ...]
    calls: int
    calls_running: int
    attempts: int
    prompt_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_microcredits: int
    price_unknown: bool
    p50_ms: int | None
    p95_ms: int | None
    first_token_ms: int | None
    failures: dict[str, int]
    findings_raised: int
    findings_only_by_it: int
    confirmed: int
    confirmed_only_by_it: int
    cost_per_confirmed: int | None
    cost_by_stage: dict[str, int]

    @property
    def measured(self) -> bool:
        """Whether any attempt has ended; before, the zeros mean nothing."""
        return self.attempts > self.calls_running


@dataclass(frozen=True, slots=True)
class StageFigures:
    """`milliseconds` run from the first request of the stage to its last answer."""

    stage: str
    calls: int
    attempts: int
    cost_microcredits: int
    started_at: datetime
    finished_at: datetime | None
    milliseconds: int | None


@dataclass(frozen=True, slots=True)
class Analytics:
    """Totals of a session. `merged` says whether reports have become findings, `judged` whether a person decided about
    any. `milliseconds` is from its start to its end, None while it runs. `estimate` is what was expected at its
    start: `low`, `typical` and `high` in micro-credits or null, `seconds`, `models_without_price` and `hosts`."""

    instances: tuple[InstanceFigures, ...]
    stages: tuple[StageFigures, ...]
    calls: int
    attempts: int
    prompt_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_microcredits: int
    price_unknown: bool
    findings: int
    confirmed: int
    merged: bool
    judged: bool
    milliseconds: int | None
    estimate: dict[str, Any] | None

    @property
    def measured(self) -> bool:
        return any(instance.measured for instance in self.instances)


def analytics(session: Session) -> Analytics:
    """Four queries. Attempts of all generations count: each was a request."""
    attempts = list(Attempt.objects.filter(session=session).select_related("step"))
    rows = Finding.objects.filter(session=session).exclude(status=MERGED)
    raised = [Raised(tuple(letters), said) for letters, said in rows.values_list("raised_by", "disposition")]
    seats = Participant.objects.filter(session=session).order_by("letter")
    stages = ((stage, [attempt for attempt in attempts if stage_of(attempt) == stage]) for stage in STAGES)
    return Analytics(
        instances=tuple(_instance(seat, attempts, raised) for seat in seats),
        stages=tuple(_stage(stage, group) for stage, group in stages if group),
        calls=_calls(attempts),
        attempts=len(attempts),
        prompt_tokens=sum(attempt.prompt_tokens for attempt in attempts),
        output_tokens=sum(attempt.output_tokens for attempt in attempts),
        cached_tokens=sum(attempt.cached_tokens for attempt in attempts),
        cost_microcredits=_cost(attempts),
        price_unknown=session.price_unknown,
        findings=len(raised),
        confirmed=sum(finding.confirmed for finding in raised),
        merged=bool(raised) or Event.objects.filter(session=session, kind="findings.ranked").exists(),
        judged=any(finding.disposition != "open" for finding in raised),
        milliseconds=_milliseconds(session.started_at, session.finished_at),
        estimate=session.estimate,
    )


@dataclass(frozen=True, slots=True)
class Raised:
    """A finding as it counts for those who raised it."""

    letters: tuple[str, ...]
    disposition: str

    @property
    def confirmed(self) -> bool:
        return self.disposition in CONFIRMED


def stage_of(attempt: Attempt) -> str:
    """The first segment of the step's path: one of STAGES."""
    return attempt.step.path.partition("/")[0]


def round_of(path: str) -> int:
    """The round of a deliberation that the step with this path belongs to: the brief and the blind answers are round 1,
    what comes after the last one is DECISION. Of other kinds everything is 1."""
    if found := _ROUND.search(path):
        return int(found[1])
    return DECISION if path.startswith("decision") else 1


def _instance(seat: Participant, attempts: Iterable[Attempt], findings: Sequence[Raised]) -> InstanceFigures:
    raised = [finding for finding in findings if seat.letter in finding.letters]
    alone = [finding for finding in raised if len(finding.letters) == 1]
    confirmed = sum(finding.confirmed for finding in raised)
    own = [attempt for attempt in attempts if attempt.letter == seat.letter]
    answered = [attempt for attempt in own if attempt.state == "delivered"]
    times = [ms for attempt in answered if (ms := _milliseconds(attempt.started_at, attempt.finished_at)) is not None]
    first = [attempt.first_token_ms for attempt in answered if attempt.first_token_ms is not None]
    costs: Counter[str] = Counter()
    for attempt in own:
        costs[stage_of(attempt)] += attempt.cost_microcredits or 0
    return InstanceFigures(
        letter=seat.letter,
        name=seat.name,
        model_id=seat.language_model_id,
        answered_by=tuple(sorted({attempt.model_id for attempt in answered})),
        calls=_calls(own),
        calls_running=_calls(attempt for attempt in own if attempt.state == "running"),
        attempts=len(own),
        prompt_tokens=sum(attempt.prompt_tokens for attempt in own),
        output_tokens=sum(attempt.output_tokens for attempt in own),
        cached_tokens=sum(attempt.cached_tokens for attempt in own),
        cost_microcredits=_cost(own),
        price_unknown=any(attempt.cost_microcredits is None for attempt in answered),
        p50_ms=percentile(times, 50),
        p95_ms=percentile(times, 95),
        first_token_ms=median_low(first) if first else None,
        failures=dict(Counter(attempt.error_code or "attempt_lost" for attempt in own if attempt.state in _FAILED)),
        findings_raised=len(raised),
        findings_only_by_it=len(alone),
        confirmed=confirmed,
        confirmed_only_by_it=sum(finding.confirmed for finding in alone),
        cost_per_confirmed=_cost(own) // confirmed if confirmed else None,
        cost_by_stage=dict(costs),
    )


def _stage(stage: str, attempts: Sequence[Attempt]) -> StageFigures:
    started = min(attempt.started_at for attempt in attempts)
    ends = [attempt.finished_at for attempt in attempts if attempt.finished_at]
    finished = max(ends) if len(ends) == len(attempts) else None
    return StageFigures(
        stage, _calls(attempts), len(attempts), _cost(attempts), started, finished, _milliseconds(started, finished)
    )


def percentile(values: Sequence[int], percent: int) -> int | None:
    """By nearest rank: the smallest value that at least `percent` of all do not exceed. None without values."""
    return sorted(values)[max(ceil(percent / 100 * len(values)) - 1, 0)] if values else None


def _calls(attempts: Iterable[Attempt]) -> int:
    return len({attempt.step_id for attempt in attempts})


def _cost(attempts: Iterable[Attempt]) -> int:
    return sum(attempt.cost_microcredits or 0 for attempt in attempts)


def _milliseconds(start: datetime | None, end: datetime | None) -> int | None:
    return int((end - start).total_seconds() * 1000) if start and end else None
