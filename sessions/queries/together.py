"""Alone and together: what each instance would have found by itself, beside what all of them found."""

from collections.abc import Sequence
from dataclasses import dataclass

from sessions.engine.findings import SEVERITIES
from sessions.queries.analytics import CONFIRMED
from sessions.queries.findings import FoundFinding
from sessions.queries.seats import SeatView, WhoAnswered

GRAVE = SEVERITIES["critical"]


@dataclass(frozen=True, slots=True)
class Column:
    """One instance that answered: what it raised of what counts, what only it raised, and what it cost in
    micro-credits (None: no price is known)."""

    letter: str
    name: str
    model_id: str
    raised: int
    alone: int
    cost: int | None


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    number: int
    title: str
    severity: str
    raised_by: tuple[str, ...]
    badge: str


@dataclass(frozen=True, slots=True)
class Together:
    """`judged`: people have decided, and only what they want fixed counts. `sentence` says what together was good for,
    as plainly when one instance would have done."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    judged: bool
    sentence: str


def together(findings: Sequence[FoundFinding], seats: Sequence[SeatView], who: WhoAnswered) -> Together:
    judged = any(finding.disposition != "open" and not finding.carried for finding in findings)
    counted = [finding for finding in findings if not judged or finding.disposition in CONFIRMED]
    columns = tuple(
        Column(
            seat.letter,
            seat.name,
            seat.model_id,
            sum(seat.letter in finding.raised_by for finding in counted),
            sum(finding.raised_by == (seat.letter,) for finding in counted),
            seat.cost,
        )
        for seat in seats
        if seat.letter in who.answered
    )
    rows = tuple(
        Row(one.label, one.number, one.title, one.severity, one.raised_by, one.opinion_badge) for one in counted
    )
    left = sum(finding.disposition == "open" for finding in findings) if judged else 0
    return Together(columns, rows, judged, _sentence(counted, columns, judged, left))


def _sentence(counted: Sequence[FoundFinding], columns: Sequence[Column], judged: bool, left: int) -> str:
    """`left` findings are undecided: until none is, nothing is said of one model having done."""
    what = "confirmed" if judged else "distinct"
    if not columns:
        return ""
    if not counted:
        return "Nothing was confirmed so far." if judged else "No instance found a problem."
    best = max(columns, key=lambda column: column.raised)
    noun = "finding" if len(counted) == 1 else "findings"
    if len(columns) == 1:
        return f"{best.name} alone: {len(counted)} {what} {noun}."
    if best.raised == len(counted):
        end = f" so far, {left} still open" if left else ": one model would have done"
        return f"Together {len(counted)} {what} {noun}; {best.name} alone raised all of them{end}."
    parts = [
        f"Together {len(counted)} {what} {noun}",
        f"best single model {best.raised}",
        *_seen_once(counted, columns),
    ]
    return "; ".join(parts) + "."


def _seen_once(counted: Sequence[FoundFinding], columns: Sequence[Column]) -> list[str]:
    """The gravest kind of finding that only one instance saw, and which."""
    once = [one for one in counted if len(one.raised_by) == 1 and SEVERITIES[one.severity] >= GRAVE]
    names = {column.letter: column.name for column in columns}
    if not once:
        return []
    worst = max(once, key=lambda one: SEVERITIES[one.severity]).severity
    same = [one for one in once if one.severity == worst]
    who = sorted({names.get(one.raised_by[0], one.raised_by[0]) for one in same})
    verb = "was" if len(same) == 1 else "were"
    if len(who) > 1:
        return [f"{len(same)} {worst} {verb} each seen by one instance alone"]
    return [f"{len(same)} {worst} {verb} seen only by {who[0]}"]
