"""Gates as they stand now. Reading decides nothing: what time and changed evidence ask for is counted in, and written
down by the next action or the sweeper."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.utils import timezone

from sessions import access
from sessions.access import APPROVE, Actor
from sessions.engine.policy import FAIL, PASS, SHIPPED, Evidence, Policy, at_once, digest, judge
from sessions.gate_states import Situation, after, due, outcome_after
from sessions.glossary import label
from sessions.models import Event, Gate, GateDecision, GatePolicy, Project, SeparateApprover, Session
from sessions.people import User, called
from sessions.queries.deliberation import DeliberationView
from sessions.queries.evidence import Left, evidence_of
from sessions.queries.findings import text_of
from sessions.queries.lists import LoggedEvent

DEFAULT_POLICY = "standard"
# How an effective outcome came about, where that is a reason of its own beside the verdict's.
OVERLAYS = frozenset({"approval_expired", "override_expired", "overridden", "rejected"})


@dataclass(frozen=True, slots=True)
class DecisionView:
    """What one person did; see `models.GateDecision`. `why` is empty when nobody asked for one or it was erased."""

    act: str
    part: str
    was: str
    to: str
    by: str
    at: datetime
    version: int
    self_approved: bool
    scope: list[dict[str, Any]]
    hours: int | None
    why: str


@dataclass(frozen=True, slots=True)
class GateView:
    """A gate as it stands now. `effective` is what counts downstream, empty while nothing does; `outcome` is the
    outcome of this state, be it proposed, decided or effective. `reasons` are codes, `verdict` says of which findings
    and instances. Whoever decides sends `shown` back. `decided_by`, and `seconded_by` where it took two: whose decision
    waits to take effect or is in effect, empty where no person's is; `deciders` are their ids. `asked` is False when
    nobody asked for a gate: then this is what the standard policy proposes."""

    asked: bool
    state: str
    outcome: str
    effective: str
    because: str
    why: str
    verdict: dict[str, Any]
    reasons: tuple[str, ...]
    policy: Policy
    version: int
    shown: str
    to: str
    act: str
    decided_by: str
    seconded_by: str
    deciders: frozenset[int]
    expires_at: datetime | None
    effective_at: datetime | None
    override_until: datetime | None
    decisions: tuple[DecisionView, ...]


def gate_of(session: Session) -> GateView:
    """A fixed number of queries."""
    return _gate(session, evidence_of(session))


def gate_and_proposals(
    session: Session, policies: Mapping[str, Policy], view: DeliberationView | None, left: Left
) -> tuple[GateView, dict[str, GateView]]:
    """The gate, and what each of the `policies` makes of the same evidence, by key; `view` and `left` as for
    `evidence_of`."""
    evidence = evidence_of(session, view, left)
    return _gate(session, evidence), {key: _proposal(evidence, policy) for key, policy in policies.items()}


def proposal_of(session: Session, policy: Policy) -> GateView:
    """What `policy` makes of the session, which changes nothing and asks nobody."""
    return _proposal(evidence_of(session), policy)


def why_not_again(gate: GateView, then: GateView) -> str:
    """Why nobody may have the gate judged again by the policy that proposes `then`, as a code; empty when somebody may.
    Choosing a policy takes no reason and no second person: so it undoes no decision, lets nothing pass that fails, and
    takes nobody out who has to agree to a pass."""
    if gate.deciders:
        return "decided_already"
    if gate.state == "withheld":
        return "gate_withheld"
    if gate.outcome == FAIL and then.outcome == PASS:
        return "override_needed"
    failed = gate.effective == FAIL
    return "fewer_people" if _people(then, failed) < _people(gate, failed) else ""


def _people(gate: GateView, failed: bool) -> int:
    """How many a pass takes: by override where it fails."""
    verdict, failed = gate.verdict, failed or gate.outcome == FAIL
    if at_once(gate.policy, PASS, needs_person=bool(verdict["needs_person"]), failed=failed):
        return 0
    return 2 if verdict["two_people"] else 1


def _gate(session: Session, evidence: Evidence | None) -> GateView:
    row = Gate.objects.filter(session=session).select_related("decided_by", "seconded_by", "session__project").first()
    return _view(row, evidence) if row else _proposal(evidence, SHIPPED[DEFAULT_POLICY])


def _proposal(evidence: Evidence | None, policy: Policy) -> GateView:
    verdict = asdict(judge(evidence, policy)) if evidence else {}
    return GateView(
        asked=False,
        state="pending" if evidence else "withheld",
        outcome=verdict.get("outcome", ""),
        effective="",
        because="",
        why="" if evidence else "evidence_missing",
        verdict=verdict,
        reasons=tuple(reason["code"] for reason in verdict.get("reasons", ())),
        policy=policy,
        version=0,
        shown="",
        to="",
        act="",
        decided_by="",
        seconded_by="",
        deciders=frozenset(),
        expires_at=None,
        effective_at=None,
        override_until=None,
        decisions=(),
    )


def state_of(session: Session) -> str:
    """The gate's state as it was last written down, empty when nobody asked for a gate."""
    return Gate.objects.filter(session=session).values_list("state", flat=True).first() or ""


def gate_events(session: Session) -> list[LoggedEvent]:
    """What happened at the gate, in order."""
    rows = Event.objects.filter(session=session, kind__startswith="gate.").order_by("seq")
    return [LoggedEvent(**row) for row in rows.values("seq", "kind", "at", "data")]


def labelled_policies(project: Project) -> tuple[dict[str, Policy], dict[str, str]]:
    """Policies and what they are called, by key: those shipped, and the newest version of each of the project's own;
    one query."""
    own = list(GatePolicy.objects.filter(project=project).order_by("version"))
    policies = SHIPPED | {row.key: Policy(row.key, row.version, **row.rules) for row in own}
    return policies, {key: label("gate_policy", key) for key in SHIPPED} | {row.key: row.label for row in own}


def policies_of(project: Project) -> dict[str, Policy]:
    return labelled_policies(project)[0]


def policy_labels(project: Project) -> dict[str, str]:
    return labelled_policies(project)[1]


def policy_of(gate: Gate) -> Policy:
    return Policy(**gate.policy)


def situation(gate: Gate) -> Situation:
    return Situation(
        state=gate.state,
        origin=gate.origin,
        outcome=gate.outcome,
        to=gate.to,
        digest=gate.evidence_digest,
        expires_at=gate.expires_at,
        effective_at=gate.effective_at,
        override_until=gate.override_until,
    )


def trigger_due(gate: Gate, evidence: Evidence | None) -> str | None:
    """What evidence, time and people who left ask for by now."""
    now_digest = digest(evidence, policy_of(gate)) if evidence else ""
    return due(situation(gate), timezone.now(), now_digest, deciders_stay=_deciders_stay(gate))


def token(gate: Gate) -> str:
    """What a decision is bound to: this gate, as it stands, on this evidence. It is good for one decision, because
    that moves the revision."""
    return sha256(f"{gate.pk}:{gate.revision}:{gate.evidence_digest}".encode()).hexdigest()


def is_others(project: Project, act: str) -> bool:
    """Whether whoever started a session leaves `act` at its gate to somebody else."""
    setting = project.separate_approver
    return setting == SeparateApprover.ALWAYS or (setting == SeparateApprover.OVERRIDE and act == "override")


def starters_of(session: Session) -> frozenset[int]:
    """Who made the session and who started or retried it."""
    told = session.events.filter(kind__in=("session.started", "session.retried")).values_list("data", flat=True)
    return frozenset({session.created_by_id, *(data["by"] for data in told)})


def _deciders_stay(gate: Gate) -> bool:
    """Whether everybody whose decision has not taken effect may still decide here."""
    return all(APPROVE in access.grants_in(Actor(user), gate.session.project) for user in _open_deciders(gate))


def _open_deciders(gate: Gate) -> list[User]:
    return [user for user in (gate.decided_by, gate.seconded_by) if user]


def _deciders(gate: Gate, record: list[GateDecision]) -> list[User]:
    """Whose decision waits to take effect, or else is in effect; nobody where no person's is. The log tells which one
    took effect: it moved the gate next after the decision."""
    if (found := _open_deciders(gate)) or not gate.outcome or gate.because not in BECAUSE.values():
        return found
    told = Event.objects.filter(session=gate.session_id, kind="gate.took_effect").order_by("-seq")
    revision = told.values_list("data", flat=True)[0]["revision"] - 1
    made = {row.revision: row for row in record}
    both = (made[revision].part, made[revision].act) == ("second", "approve")
    return [made[revision - 1].by, made[revision].by] if both else [made[revision].by]


def _name(person: User) -> str:
    return called(person.name, person.email)


def _view(gate: Gate, evidence: Evidence | None) -> GateView:
    why = gate.why
    while trigger := trigger_due(gate, evidence):
        why = "evidence_changed" if trigger == "withhold" else why
        _foresee(gate, trigger)
    verdict = {} if gate.state == "withheld" else gate.verdict
    record = list(GateDecision.objects.filter(gate=gate).select_related("by", "reason"))
    deciders = _deciders(gate, record)
    return GateView(
        asked=True,
        state=gate.state,
        outcome=_outcome_of(gate),
        effective=gate.outcome,
        because=gate.because,
        why=why if why != "evidence_missing" or gate.state == "withheld" else "",
        verdict=verdict,
        reasons=_reasons(gate, verdict),
        policy=policy_of(gate),
        version=gate.version,
        shown=token(gate),
        to=gate.to,
        act=gate.act,
        decided_by=_name(deciders[0]) if deciders else "",
        seconded_by=_name(deciders[1]) if len(deciders) > 1 else "",
        deciders=frozenset(user.pk for user in deciders),
        expires_at=gate.expires_at,
        effective_at=gate.effective_at,
        override_until=gate.override_until,
        decisions=tuple(_decision(row) for row in record),
    )


BECAUSE = {"approve": "accepted", "override": "overridden", "reject": "rejected"}


def _foresee(gate: Gate, trigger: str) -> None:
    """The row as it will be once somebody writes down what is due; it is not saved."""
    gate.outcome = outcome_after(situation(gate), trigger)
    gate.because = {
        "take_effect": BECAUSE.get(gate.act, ""),
        "expire": "approval_expired",
        "lapse": "override_expired",
    }.get(trigger, gate.because)
    begins = gate.effective_at if trigger == "take_effect" else None
    gate.override_until = begins + timedelta(hours=gate.hours) if begins and gate.hours else None
    gate.expires_at = gate.expires_at if trigger == "reopen" else None
    gate.state = after(gate.state, trigger) or gate.state
    gate.effective_at = None
    if trigger != "take_effect":
        gate.decided_by = gate.seconded_by = None


def _outcome_of(gate: Gate) -> str:
    if gate.state in {"pending", "second_person"}:
        return str(gate.verdict["outcome"])
    return gate.to if gate.state == "decided" else gate.outcome


def _reasons(gate: Gate, verdict: dict[str, Any]) -> tuple[str, ...]:
    settled = gate.state in {"effective", "expired"} and gate.because in OVERLAYS
    codes = [gate.because] if settled else []
    return (*codes, *(reason["code"] for reason in verdict.get("reasons", ())))


def _decision(row: GateDecision) -> DecisionView:
    return DecisionView(
        act=row.act,
        part=row.part,
        was=row.was,
        to=row.to,
        by=_name(row.by),
        at=row.at,
        version=row.version,
        self_approved=row.self_approved,
        scope=row.scope,
        hours=row.hours,
        why=text_of(row.reason),
    )
