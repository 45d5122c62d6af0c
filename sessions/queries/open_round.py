"""The round of a deliberation that is under way: who has answered. What anybody holds stays hidden until it closes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Max

from sessions.models import Event, Session
from sessions.states import AT_REST

_HEARD = {"reports.submitted": "reports", "positions.submitted": "taken"}
_MISSING = ("instance.missing", "positions.missing")
ROUND_KINDS = ("round.opened", "round.voided", *_HEARD, *_MISSING)


@dataclass(frozen=True, slots=True)
class OpenRound:
    """`heard` is by letter how many reports (round 1) or positions an instance handed in, `missing` why one gave no
    usable answer, as an error code. `repeated`: too few answered at first."""

    number: int
    mode: str
    heard: dict[str, int] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    repeated: bool = False


def open_round_of(session: Session) -> OpenRound | None:
    """None when the session rests, and between a round that is published and the next; at most two queries."""
    if session.status in AT_REST:
        return None
    log = Event.objects.filter(session=session)
    closed = log.filter(kind="round.published").aggregate(seq=Max("seq"))["seq"] or 0
    told = log.filter(kind__in=ROUND_KINDS, seq__gt=closed).order_by("seq").values_list("kind", "data")
    return fold_round(told)


def fold_round(told: Iterable[tuple[str, Any]]) -> OpenRound | None:
    """Out of (kind, data) of the log since the last round was published; other kinds of event are passed over."""
    found: OpenRound | None = None
    for kind, data in told:
        if kind == "round.opened":
            found = OpenRound(data["round"], data["mode"])
        elif found is None or kind not in ROUND_KINDS:
            continue
        elif kind == "round.voided":
            found = OpenRound(found.number, found.mode, found.heard, {}, repeated=True)
        elif kind in _MISSING:
            found.missing[data["letter"]] = data["code"]
        else:
            given = data[_HEARD[kind]]
            found.heard[data["letter"]] = given if isinstance(given, int) else len(given)
            found.missing.pop(data["letter"], None)
    return found
