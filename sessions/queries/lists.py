"""Lists: the sessions of a project, the log of a session."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from django.db.models import BooleanField, Count, ExpressionWrapper, Q, Value
from django.db.models.functions import Coalesce, NullIf

from sessions.engine.findings import SEVERITIES
from sessions.models import Event, Finding, Participant, Project, Session
from sessions.queries.findings import MERGED
from sessions.queries.seats import charge_notice, simulated_notice

EVENTS_AT_ONCE = 1_000
ANSWERED = frozenset({"answered", "summing_up", "done", "judging"})


class LoggedEvent(TypedDict):
    seq: int
    kind: str
    at: datetime
    data: Any


@dataclass(frozen=True, slots=True)
class ListedSeat:
    """An instance in a list; `answered`: its review is in."""

    letter: str
    name: str
    answered: bool


@dataclass(frozen=True, slots=True)
class ListedSession:
    """`worst` is the highest severity among its findings that nobody dismissed, empty without any. `simulated` and
    `charge` are the notices of `simulated_notice` and `charge_notice`."""

    session: Session
    findings: int
    worst: str
    instances: tuple[ListedSeat, ...]
    simulated: str
    charge: str

    @property
    def seats(self) -> int:
        return len(self.instances)

    @property
    def answered(self) -> int:
        return sum(seat.answered for seat in self.instances)


def events_after(session_id: int, after: int, limit: int = EVENTS_AT_ONCE) -> list[LoggedEvent]:
    """Up to `limit` events with numbers above `after`."""
    rows = Event.objects.filter(session_id=session_id, seq__gt=after).order_by("seq")
    return [LoggedEvent(**row) for row in rows.values("seq", "kind", "at", "data")[:limit]]


def sessions_of(project: Project, *, limit: int = 100, offset: int = 0) -> list[ListedSession]:
    """The sessions of a project, newest first; three queries."""
    rows = Session.objects.filter(project=project, deleted_at=None).order_by("-created_at", "-pk")
    page = list(rows[offset : offset + limit])
    raised = Finding.objects.filter(session__in=page).exclude(status=MERGED).order_by()
    severity = Coalesce(NullIf("person_severity", Value("")), "severity")
    dismissed = ExpressionWrapper(Q(disposition="dismissed"), BooleanField())
    grouped = raised.values_list("session_id", severity, dismissed).annotate(Count("pk"))
    findings: dict[int, list[tuple[str, bool, int]]] = defaultdict(list)
    for pk, *group in grouped:
        findings[pk].append(tuple(group))
    seats: dict[int, list[Participant]] = defaultdict(list)
    told = Participant.objects.filter(session__in=page).only("session_id", "letter", "name", "state", "simulated")
    for seat in told.order_by("letter"):
        seats[seat.session_id].append(seat)
    return [_listed(session, findings[session.pk], seats[session.pk]) for session in page]


def _listed(session: Session, findings: list[tuple[str, bool, int]], seats: list[Participant]) -> ListedSession:
    """`findings` are (severity, dismissed, how many)."""
    heavy = [severity for severity, dismissed, _ in findings if not dismissed]
    return ListedSession(
        session,
        findings=sum(count for _, _, count in findings),
        worst=max(heavy, key=SEVERITIES.__getitem__, default=""),
        instances=tuple(ListedSeat(seat.letter, seat.name, seat.state in ANSWERED) for seat in seats),
        simulated=simulated_notice(seats),
        charge=charge_notice(seats),
    )
