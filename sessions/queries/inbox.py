"""What waits for a person: gates to decide on, and sessions of their own that cannot go on alone."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.db.models import BigAutoField, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from sessions import access
from sessions.access import APPROVE, GRANTS, Actor
from sessions.compiled import CompiledRows, Given
from sessions.gate_states import WAITING
from sessions.models import Gate, GateDecision, Membership, SeparateApprover, Session
from sessions.people import called

RECENT = timedelta(days=7)
LAST_DECISIONS = 5
DECIDING_ROLES = tuple(role for role, grants in GRANTS.items() if APPROVE in grants)


@dataclass(frozen=True, slots=True)
class WaitingGate:
    """`outcome` is what a decision would agree to; `first` who decided, when it takes a second person."""

    session: Session
    outcome: str
    policy: str
    first: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Inbox:
    """`stamp` is another number for whatever else stands in it."""

    gates: tuple[WaitingGate, ...]
    stuck: tuple[Session, ...]
    decisions: tuple[GateDecision, ...]

    @property
    def count(self) -> int:
        return len(self.gates) + len(self.stuck)

    @property
    def stamp(self) -> int:
        gates = [(row.session.pk, row.outcome, row.first, str(row.until)) for row in self.gates]
        stuck = [(row.pk, row.status, row.reason, row.waiting_for) for row in self.stuck]
        said = repr((gates, stuck, [row.pk for row in self.decisions]))
        return int.from_bytes(sha256(said.encode()).digest()[:6])


def inbox_of(actor: Actor) -> Inbox:
    """Four queries at most. The last decisions are those of everybody in one's projects."""
    beside = ("session__project", "session__created_by", "decided_by")
    gates = _gates(actor.user_id, access.memberships(actor)).select_related(*beside)
    mine = Session.objects.filter(created_by=actor.user_id, deleted_at=None, project__in=access.projects(actor))
    failed = Q(status="failed", finished_at__gt=timezone.now() - RECENT)
    stuck = mine.filter(Q(status__in=("waiting", "needs_attention")) | failed).select_related("project")
    decided = GateDecision.objects.filter(gate__session__deleted_at=None)
    decided = decided.filter(gate__session__project__in=access.projects(actor)).order_by("-at")
    return Inbox(
        gates=tuple(_waiting(gate) for gate in gates.order_by("expires_at")),
        stuck=tuple(stuck.order_by("-created_at")),
        decisions=tuple(decided.select_related("gate__session__project", "by")[:LAST_DECISIONS]),
    )


def waiting_count(user_id: int) -> int:
    """How many gates wait for this person: every page shows it."""
    return len(_WAITING(user=user_id))


def _gates(user: int | Given, memberships: QuerySet[Membership]) -> QuerySet[Gate]:
    """Those that wait, in projects in which the user decides, but for what somebody else has to decide."""
    projects = memberships.filter(role__in=DECIDING_ROLES).values("project")
    found = Gate.objects.filter(session__project__in=projects, session__deleted_at=None, state__in=WAITING)
    found = found.exclude(state="second_person", decided_by=user)
    always = Q(session__project__separate_approver=SeparateApprover.ALWAYS, session__created_by=user)
    return found.exclude(always).filter(expires_at__gt=Now())


_USER = Given("user", BigAutoField())
_WAITING = CompiledRows(str, lambda: _gates(_USER, access.memberships_of(_USER)).order_by().values_list("pk"))


def _waiting(gate: Gate) -> WaitingGate:
    return WaitingGate(
        session=gate.session,
        outcome=gate.to if gate.state == "second_person" else str(gate.verdict["outcome"]),
        policy=str(gate.policy["key"]),
        first=called(gate.decided_by.name, gate.decided_by.email) if gate.decided_by else "",
        since=gate.judged_at or gate.session.created_at,
        until=gate.expires_at,
    )
