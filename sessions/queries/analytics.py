"""What a session used: per instance and per stage, from its attempts and findings."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from statistics import median_low

from sessions.models import Attempt, Finding, Participant, Session
from sessions.queries.findings import MERGED

STAGES = ("brief", "review", "summary")
_FAILED = frozenset({"failed", "lost"})


@dataclass(frozen=True, slots=True)
class InstanceFigures:
    """A call is one question, an attempt one request. `p50_ms` and `p95_ms` are of answered attempts (nearest rank),
    `first_token_ms` is their median; `cost_by_stage` is micro-credits; `failures` counts attempts by error code.
    Findings: those it raised, and those nobody else saw."""

    letter: str
    name: str
    model_id: str
    calls: int
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
    cost_by_stage: dict[str, int]


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
    """Totals of a session. `milliseconds` is from its start to its end, None while it runs."""

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
    milliseconds: int | None


def analytics(session: Session) -> Analytics:
    """Three queries. Attempts of all generations count: each was a request."""
    attempts = list(Attempt.objects.filter(session=session).select_related("step"))
    findings = Finding.objects.filter(session=session).exclude(status=MERGED)
    raisers = list(findings.values_list("raised_by", flat=True))
    seats = Participant.objects.filter(session=session).order_by("letter")
    stages = ((stage, [attempt for attempt in attempts if stage_of(attempt) == stage]) for stage in STAGES)
    return Analytics(
        instances=tuple(_instance(seat, attempts, raisers) for seat in seats),
        stages=tuple(_stage(stage, group) for stage, group in stages if group),
        calls=_calls(attempts),
        attempts=len(attempts),
        prompt_tokens=sum(attempt.prompt_tokens for attempt in attempts),
        output_tokens=sum(attempt.output_tokens for attempt in attempts),
        cached_tokens=sum(attempt.cached_tokens for attempt in attempts),
        cost_microcredits=_cost(attempts),
        price_unknown=session.price_unknown,
        findings=len(raisers),
        milliseconds=_milliseconds(session.started_at, session.finished_at),
    )


def stage_of(attempt: Attempt) -> str:
    """The first segment of the step's path: brief, review or summary."""
    return attempt.step.path.partition("/")[0]


def _instance(seat: Participant, attempts: Iterable[Attempt], raisers: list[list[str]]) -> InstanceFigures:
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
        calls=_calls(own),
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
        findings_raised=sum(seat.letter in letters for letters in raisers),
        findings_only_by_it=sum(letters == [seat.letter] for letters in raisers),
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
