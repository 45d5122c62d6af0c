"""A finished session as it was after any of its events: the same projections, folded only so far. Four queries whatever
its size."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from sessions.engine.agreement import FIRST_JUDGED
from sessions.models import Attestation, Event, Finding, Gate, Participant, Report, Round, Session
from sessions.projections.folding import Folded, fold, rows_of
from sessions.queries.findings import text_of
from sessions.queries.open_round import OpenRound, fold_round
from sessions.queries.seats import true_state

# An event and the status of the session after it.
STATUSES = {
    "session.created": "draft",
    "session.started": "queued",
    "session.claimed": "running",
    "session.recovered": "running",
    "session.released": "queued",
    "session.parked": "waiting",
    "session.answered": "queued",
    "session.retried": "queued",
    "session.gave_up": "needs_attention",
    "session.completed": "completed",
    "session.failed": "failed",
    "session.cancelled": "cancelled",
    "opinions.asked": "queued",
}
# What moves nothing that people follow: playing passes over it.
PASSED_OVER = frozenset(
    {"session.claimed", "session.recovered", "session.released", "call.started", "call.retrying", "replay.drifted"}
)
MOST_STOPS = 200
"""In a log with more events than these, playing stops only where something was said, not at every answer."""


@dataclass(frozen=True, slots=True)
class SeatThen:
    """An instance; `verdict` is what it attested, empty until then."""

    letter: str
    name: str
    simulated: bool
    state: str
    error_code: str
    verdict: str


@dataclass(frozen=True, slots=True)
class FindingThen:
    """A finding as far as it was known. `status` and `counts` (agree, agree in part, disagree) are those of the last
    published round, empty before anybody judged and for another kind."""

    label: str
    title: str
    severity: str
    raised_by: tuple[str, ...]
    disposition: str
    status: str
    counts: tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class RoundThen:
    number: int
    agreement_bp: int | None
    answered: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Then:
    """The session after event `seq`; `last` is the number of its last event, `before` and `next` those of the nearest
    events that playing stops at, None at either end. `cost` is micro-credits, at least so many where `price_unknown`.
    `gate` is the state of its gate and the outcome in effect, None without one."""

    event: Event
    last: int
    before: int | None
    next: int | None
    status: str
    cost: int
    price_unknown: bool
    seats: tuple[SeatThen, ...]
    findings: tuple[FindingThen, ...]
    rounds: tuple[RoundThen, ...]
    open_round: OpenRound | None
    verdict: str
    decided: bool
    gate: tuple[str, str] | None

    @property
    def seq(self) -> int:
        return self.event.seq

    @property
    def at(self) -> datetime:
        return self.event.at


def replay(session: Session, seq: int) -> Then:
    """As of event `seq`, or the nearest there is."""
    log = list(Event.objects.filter(session=session).order_by("seq").values_list("seq", "kind"))
    seq = min(max(seq, 1), log[-1][0])
    events = list(Event.objects.filter(session=session, seq__lte=seq).order_by("seq"))
    folded = fold(session.pk, session.code, events)
    rounds = _newest(rows_of(folded, Round))
    judged = [row for row in rounds if row["number"] >= FIRST_JUDGED]
    cost, price_unknown = _spent(events)
    stops = _stops(log)
    told = {event.kind: event.data for event in events}
    gate = next(iter(rows_of(folded, Gate)), None)
    status = _status(events)
    return Then(
        event=events[-1],
        last=log[-1][0],
        before=max((stop for stop in stops if stop < seq), default=None),
        next=min((stop for stop in stops if stop > seq), default=None),
        status=status,
        cost=cost,
        price_unknown=price_unknown,
        seats=_seats(session, folded, status),
        findings=_findings(session, folded, judged[-1] if judged else {}),
        rounds=tuple(RoundThen(row["number"], row["agreement_bp"], tuple(row["answered"])) for row in rounds),
        open_round=_open_round(events),
        verdict=told["verdict.reached"]["outcome"] if "verdict.reached" in told else "",
        decided="decision.written" in told,
        gate=(gate["state"], gate["outcome"]) if gate else None,
    )


def _stops(log: Sequence[tuple[int, str]]) -> list[int]:
    """The first event, the last, and those in between that people follow."""
    many = len(log) > MOST_STOPS
    moves = [seq for seq, kind in log if kind not in PASSED_OVER and not (many and kind.startswith("call."))]
    return sorted({log[0][0], *moves, log[-1][0]})


def _status(events: Iterable[Event]) -> str:
    return next(STATUSES[event.kind] for event in reversed(list(events)) if event.kind in STATUSES)


def _spent(events: Iterable[Event]) -> tuple[int, bool]:
    """What answers cost up to there; an end says what it came to, with tries that failed."""
    spent, unknown = 0, False
    for event in events:
        if "cost_microcredits" not in event.data or event.kind == "round.published":
            continue
        cost = event.data["cost_microcredits"]
        unknown = unknown or cost is None
        spent = spent + (cost or 0) if event.kind == "call.finished" else cost
    return spent, unknown


def _seats(session: Session, folded: Folded, status: str) -> tuple[SeatThen, ...]:
    then = {row["letter"]: row for row in rows_of(folded, Participant)}
    said = {row["letter"]: row["verdict"] for row in rows_of(folded, Attestation)}
    seats = Participant.objects.filter(session=session).order_by("letter").values_list("letter", "name", "simulated")
    return tuple(
        SeatThen(
            letter,
            name,
            simulated,
            true_state(then.get(letter, {}).get("state", "waiting"), status),
            then.get(letter, {}).get("error_code", ""),
            said.get(letter, ""),
        )
        for letter, name, simulated in seats
    )


def _findings(session: Session, folded: Folded, last: Mapping[str, Any]) -> tuple[FindingThen, ...]:
    held = {one["number"]: one for one in last.get("findings", ())}
    titles = _titles(session)
    rows = [row for row in rows_of(folded, Finding) if row.get("status") == "open"]
    return tuple(
        FindingThen(
            label=f"F-{row['number']:03d}",
            title=titles.get(row["canonical_id"], ""),
            severity=row.get("person_severity") or row["severity"],
            raised_by=tuple(row["raised_by"]),
            disposition=row.get("disposition", "open"),
            status=held[row["number"]]["status"] if row["number"] in held else "",
            counts=_counts(held[row["number"]]["counts"]) if row["number"] in held else None,
        )
        for row in sorted(rows, key=lambda row: int(row["rank"]))
    )


def _counts(counts: Sequence[int]) -> tuple[int, int, int]:
    agree, minor, material, disagree = counts
    return agree + minor, material, disagree


def _titles(session: Session) -> dict[Any, str]:
    """By report, what its instance called it; without those that were erased."""
    rows = list(Report.objects.filter(session=session).select_related("content"))
    texts = {text for row in rows if (text := text_of(row.content))}
    titles = {one["id"]: str(one["title"]) for text in texts for one in orjson.loads(text)}
    return {row.pk: titles.get(f"{row.letter}-{row.ordinal}", "") for row in rows}


def _newest(rounds: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The published rounds of the newest generation that published any."""
    newest = max((row["generation"] for row in rounds), default=0)
    return [row for row in rounds if row["generation"] == newest]


def _open_round(events: Sequence[Event]) -> OpenRound | None:
    """The round that was under way; None while nobody worked on the session."""
    ends = ("round.published", *(kind for kind, status in STATUSES.items() if status not in ("queued", "running")))
    closed = max((at for at, event in enumerate(events) if event.kind in ends), default=-1)
    return fold_round((event.kind, event.data) for event in events[closed + 1 :])
