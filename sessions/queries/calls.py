"""When a session asked what: every request with its waits, for a drawing and for a table."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from django.utils import timezone

from sessions.models import Attempt, Event, Session
from sessions.queries.analytics import STAGES, round_of, stage_of

PAUSE = 0.02  # of the time before it: what is left of the pause before a retry


@dataclass(frozen=True, slots=True)
class TimedAttempt:
    """One request. Milliseconds from the start of the session, pauses between its runs left out: `ready` is when it
    could have been made, `first_token` None until there was one, `end` is now while it is `running`."""

    letter: str
    stage: str
    ordinal: int
    state: str
    error_code: str
    ready: int
    start: int
    first_token: int | None
    end: int

    @property
    def running(self) -> bool:
        return self.state == "running"

    @property
    def answered(self) -> bool:
        return self.state == "delivered"


def timed_attempts(session: Session) -> list[TimedAttempt]:
    """In the order they were made; two queries."""
    begun = Event.objects.filter(session=session, kind="session.started").values_list("at", flat=True).first()
    rows = list(Attempt.objects.filter(session=session).select_related("step").order_by("started_at", "pk"))
    runs: dict[int, list[Attempt]] = defaultdict(list)
    for row in rows:
        runs[row.step.generation].append(row)
    now, found, offset = timezone.now(), list[TimedAttempt](), 0
    for generation, attempts in sorted(runs.items()):
        origin = begun if begun and generation == 0 else attempts[0].started_at
        found += _timed(attempts, origin, offset, now)
        offset = int(max(attempt.end for attempt in found) * (1 + PAUSE))
    return found


def _timed(attempts: Sequence[Attempt], origin: datetime, offset: int, now: datetime) -> list[TimedAttempt]:
    def at(moment: datetime) -> int:
        return max(int((moment - origin).total_seconds() * 1000), 0) + offset

    ready = _ready(attempts, origin, now)
    return [
        TimedAttempt(
            letter=attempt.letter,
            stage=stage_of(attempt),
            ordinal=attempt.ordinal,
            state=attempt.state,
            error_code=attempt.error_code,
            ready=min(at(ready[attempt.pk]), at(attempt.started_at)),
            start=at(attempt.started_at),
            first_token=None if attempt.first_token_ms is None else at(attempt.started_at) + attempt.first_token_ms,
            end=at(attempt.finished_at or now),
        )
        for attempt in attempts
    ]


def _ready(attempts: Sequence[Attempt], origin: datetime, now: datetime) -> dict[UUID, datetime]:
    """By attempt, when nothing but its turn was missing: what comes before its stage in its round has ended, or the
    same instance's last try at the same question."""
    ends: dict[tuple[int, int], datetime] = {}
    for attempt in attempts:
        turn, end = _turn(attempt), attempt.finished_at or now
        ends[turn] = max(ends.get(turn, end), end)
    ready, before = dict[tuple[int, int], datetime](), origin
    for turn in sorted(ends):
        ready[turn], before = before, ends[turn]
    found = {attempt.pk: ready[_turn(attempt)] for attempt in attempts}
    for earlier, later in _in_turn(attempts):
        found[later.pk] = earlier.finished_at or later.started_at
    return found


def _turn(attempt: Attempt) -> tuple[int, int]:
    """Round and stage, as numbers that follow each other."""
    return round_of(attempt.step.path), STAGES.index(stage_of(attempt))


def _in_turn(attempts: Iterable[Attempt]) -> Iterable[tuple[Attempt, Attempt]]:
    """Pairs of an attempt and the next one of the same question: tries of one step, and questions asked again."""
    asked: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        asked[attempt.letter, attempt.step.path.partition("/reask")[0]].append(attempt)
    return (pair for tries in asked.values() for pair in pairwise(tries))
