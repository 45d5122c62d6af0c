"""Lists: the sessions of a project, the log of a session."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypedDict

from django.db.models import (
    BigAutoField,
    BooleanField,
    Count,
    ExpressionWrapper,
    F,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce, NullIf

from sessions.compiled import CompiledRows, GivenMany
from sessions.engine.findings import SEVERITIES
from sessions.kinds import KINDS
from sessions.models import Event, Finding, Membership, Participant, Project, Session
from sessions.people import User, called
from sessions.queries.findings import MERGED
from sessions.queries.seats import SIMULATED, charge_notice, simulated_notice

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
    """`worst` is the highest severity among its findings that nobody dismissed, empty without any. `instances` are
    those that take part to the end. `simulated` and `charge` are the notices of `simulated_notice` and
    `charge_notice`."""

    session: Session
    findings: int
    worst: str
    instances: tuple[ListedSeat, ...]
    simulated: str
    charge: str

    @property
    def partly_simulated(self) -> bool:
        return self.simulated not in ("", SIMULATED)

    @property
    def has_result(self) -> bool:
        """Whether no findings means that none were there."""
        return bool(self.findings) or (KINDS[self.session.kind].finds and self.session.status == "completed")

    @property
    def has_cost(self) -> bool:
        return self.session.price_unknown or bool(self.session.cost_microcredits)

    @property
    def seats(self) -> int:
        return len(self.instances)

    @property
    def answered(self) -> int:
        return sum(seat.answered for seat in self.instances)


@dataclass(frozen=True, slots=True)
class ListedProject:
    """A project and what goes on in it for somebody with this `role`: `sessions`, those `under_way`, findings still
    `undecided`, `people`, `spent` (micro-credits) and when the last one was made."""

    project: Project
    role: str
    sessions: int
    under_way: int
    undecided: int
    people: int
    spent: int
    last_at: datetime | None


def projects_of(memberships: QuerySet[Membership], since: datetime) -> list[ListedProject]:
    """The projects of somebody, the last used first; `spent` counts those made since `since`. One query."""
    paid = Session.objects.filter(project=OuterRef("project")).order_by().values("project")
    own = paid.filter(deleted_at=None)
    undecided = Finding.objects.filter(
        session__project=OuterRef("project"), session__deleted_at=None, session__status="completed", disposition="open"
    ).exclude(status=MERGED)
    counted = undecided.order_by().values("session__project").annotate(count=Count("pk")).values("count")
    people = Membership.objects.filter(project=OuterRef("project")).order_by().values("project")
    rows = memberships.select_related("project").annotate(
        sessions=Subquery(own.annotate(count=Count("pk")).values("count")),
        under_way=Subquery(own.filter(status__in=("queued", "running")).annotate(count=Count("pk")).values("count")),
        undecided=Subquery(counted),
        people=Subquery(people.annotate(count=Count("pk")).values("count")),
        spent=Subquery(paid.filter(created_at__gte=since).annotate(sum=Sum("cost_microcredits")).values("sum")),
        last_at=Subquery(own.annotate(last=Max("created_at")).values("last")),
    )
    return [
        ListedProject(
            row.project,
            row.role,
            row.sessions or 0,
            row.under_way or 0,
            row.undecided or 0,
            row.people,
            row.spent or 0,
            row.last_at,
        )
        for row in rows.order_by(F("last_at").desc(nulls_last=True), "project__name")
    ]


def events_after(session_id: int, after: int, limit: int = EVENTS_AT_ONCE) -> list[LoggedEvent]:
    """Up to `limit` events with numbers above `after`."""
    rows = Event.objects.filter(session_id=session_id, seq__gt=after).order_by("seq")
    return [LoggedEvent(**row) for row in rows.values("seq", "kind", "at", "data")[:limit]]


def starter_of(session: Session) -> str:
    """What whoever started it is called, empty while nobody has; two queries."""
    told = Event.objects.filter(session=session, kind="session.started").values_list("data", flat=True).first()
    person = User.objects.filter(pk=told["by"]).first() if told else None
    return called(person.name, person.email) if person else ""


class _Group(NamedTuple):
    """How many findings of a session have that severity, and were dismissed or not."""

    session_id: int
    severity: str
    dismissed: bool
    many: int


class _SeatRow(NamedTuple):
    session_id: int
    letter: str
    name: str
    state: str
    simulated: bool
    last_round: int | None


def _groups() -> QuerySet[Finding, tuple[Any, ...]]:
    rows = Finding.objects.filter(session__in=GivenMany("sessions", BigAutoField())).exclude(status=MERGED).order_by()
    severity = Coalesce(NullIf("person_severity", Value("")), "severity")
    dismissed = ExpressionWrapper(Q(disposition="dismissed"), BooleanField())
    return rows.values_list("session_id", severity, dismissed).annotate(Count("pk"))


_GROUPS = CompiledRows(_Group, _groups)
_SEATS = CompiledRows(
    _SeatRow,
    lambda: (
        Participant.objects.filter(session__in=GivenMany("sessions", BigAutoField()))
        .order_by("letter")
        .values_list(*_SeatRow._fields)
    ),
)


def sessions_of(project: Project, *, limit: int = 100, offset: int = 0) -> list[ListedSession]:
    """The sessions of a project, newest first; three queries."""
    rows = Session.objects.filter(project=project, deleted_at=None).order_by("-created_at", "-pk")
    page = list(rows[offset : offset + limit])
    keys = [session.pk for session in page]
    findings: dict[int, list[_Group]] = defaultdict(list)
    for group in _GROUPS(sessions=keys):
        findings[group.session_id].append(group)
    seats: dict[int, list[_SeatRow]] = defaultdict(list)
    for seat in _SEATS(sessions=keys):
        seats[seat.session_id].append(seat)
    return [_listed(session, findings[session.pk], seats[session.pk]) for session in page]


def _listed(session: Session, findings: list[_Group], seats: list[_SeatRow]) -> ListedSession:
    heavy = [group.severity for group in findings if not group.dismissed]
    return ListedSession(
        session,
        findings=sum(group.many for group in findings),
        worst=max(heavy, key=SEVERITIES.__getitem__, default=""),
        instances=tuple(
            ListedSeat(seat.letter, seat.name, seat.state in ANSWERED) for seat in seats if seat.last_round is None
        ),
        simulated=simulated_notice(seats),
        charge=charge_notice(seats),
    )
