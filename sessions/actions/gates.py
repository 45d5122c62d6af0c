"""What people do at gates: have a session judged, approve, reject or override what the policy says, take it back.

A decision is bound to what its maker was shown (`queries.gates.token`), is good for one move of the gate, and takes
effect ten minutes later. Whatever time and changed evidence ask for is written down first, so nobody decides on what
is no longer so. Everything that moves a gate holds the session's row lock and swaps the gate's revision.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any
from uuid import uuid4, uuid5

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from sessions import access, outbox
from sessions.access import APPROVE, WRITE, Actor
from sessions.actions.errors import Refused
from sessions.actions.gate_refusals import (
    MOST_CHARACTERS,
    check_again,
    check_override,
    check_separate,
    check_shown,
    check_state,
    was_first,
)
from sessions.actions.log import append
from sessions.actions.texts import add_text
from sessions.engine.policy import FAIL, PASS, Policy, at_once, digest, judge
from sessions.events import text_ref
from sessions.gate_states import BACK, WAITING, after, lifts_fail, outcome_after, sources_of
from sessions.models import Gate, Session
from sessions.queries.evidence import evidence_of
from sessions.queries.gates import (
    BECAUSE,
    gate_of,
    policies_of,
    policy_of,
    proposal_of,
    situation,
    starters_of,
    token,
    trigger_due,
)
from sessions.states import ENDED
from sessions.writer import Draft

SWEEP_BATCH = 50


@dataclass(frozen=True, slots=True)
class Move:
    """What somebody does at a gate as it stands: the trigger it pulls and what is logged of it."""

    trigger: str
    fields: dict[str, Any]


def judge_session(actor: Actor, session: Session, policy: str) -> Gate:
    """Ask for a verdict by the policy with that key, or have the session judged again by another one: no model is
    asked. A session that still runs is judged when it ends. Choosing another policy takes an approver and makes it
    harder to pass, never easier (`queries.gates.why_not_again`). Raises Refused."""
    with transaction.atomic():
        gate = _locked(session)
        access.require(actor, session.project, WRITE if gate is None else APPROVE)
        known = policies_of(session.project)
        if policy not in known:
            raise Refused("policy_unknown", f"There is no gate policy {policy[:40]!r}. Known: {', '.join(known)}.", 422)
        if gate and policy_of(gate) != known[policy]:
            _settle(session, gate)
            check_again(gate, gate_of(session), proposal_of(session, known[policy]))
        if gate is None or policy_of(gate) != known[policy]:
            gate = _ask(actor, session, gate, known[policy])
        _settle(session, gate)
    return gate


def approve(actor: Actor, session: Session, shown: str) -> Gate:
    """Accept the proposed outcome, or stand behind what the first of two people decided. Raises Refused."""

    def move(gate: Gate) -> Move:
        if gate.state == "second_person":
            if actor.user_id == gate.decided_by_id:
                raise Refused("same_person", "You decided first. A second person has to look at it.", 403)
            check_separate(actor, session, "approve")
            return _decided(actor, session, gate, "approve", gate.to, part="second")
        check_state(gate, "pending")
        to = gate.verdict["outcome"]
        # A pass that ends a fail in effect is an override but for the reason.
        check_separate(actor, session, "override" if lifts_fail(gate.outcome, to) else "approve")
        return _decided(actor, session, gate, "approve", to)

    return _act(actor, session, shown, move)


def reject(actor: Actor, session: Session, shown: str, reason: str = "") -> Gate:
    """Say no to a proposed pass, or to what the first of two people decided: it fails. Raises Refused."""

    def move(gate: Gate) -> Move:
        check_state(gate, "pending", "second_person")
        check_separate(actor, session, "reject")
        if gate.state == "pending" and gate.verdict["outcome"] == FAIL:
            raise Refused("nothing_to_reject", "It is a fail already. Accept it, or override it with a reason.", 409)
        part = "second" if gate.state == "second_person" else "only"
        return _decided(actor, session, gate, "reject", FAIL, part=part, reason=reason)

    return _act(actor, session, shown, move)


def override(actor: Actor, session: Session, shown: str, to: str, reason: str, hours: int | None = None) -> Gate:
    """Put another outcome in the place of the policy's. It is a record of its own; the policy's verdict stays visible.
    A pass may hold for some hours only. Raises Refused."""
    check_override(to, reason, hours)

    def move(gate: Gate) -> Move:
        check_state(gate, "pending", "effective", "expired")
        check_separate(actor, session, "override")
        if _stands(gate) == to:
            raise Refused("nothing_to_override", f"It is a {to} already: there is nothing to override.", 409)
        return _decided(actor, session, gate, "override", to, reason=reason, hours=hours)

    return _act(actor, session, shown, move)


def undo(actor: Actor, session: Session, shown: str) -> Gate:
    """Take back one's own decision before it takes effect. Raises Refused."""

    def move(gate: Gate) -> Move:
        check_state(gate, "decided", "second_person")
        if actor.user_id not in {gate.decided_by_id, gate.seconded_by_id}:
            raise Refused("not_yours", "Only whoever decided can take it back.", 403)
        return Move(BACK[gate.origin], {"by": actor.user_id})

    return _act(actor, session, shown, move)


def settle_due() -> None:
    """Write down what time and changed evidence ask for, at SWEEP_BATCH gates."""
    late = Q(state__in=("pending", "second_person"), expires_at__lte=Now())
    late |= Q(state="decided", effective_at__lte=Now()) | Q(state="effective", override_until__lte=Now())
    unseen = Q(session__next_seq__gt=F("seen_seq") + 1)
    moved = unseen & (Q(session__status__in=ENDED) | ~Q(state="withheld"))
    rows = Gate.objects.filter(late | moved, session__deleted_at=None).order_by("pk")
    found = list(rows.values_list("session", flat=True)[:SWEEP_BATCH])
    for session in Session.objects.filter(pk__in=found).select_related("project", "summary").order_by("pk"):
        with transaction.atomic():
            if gate := _locked(session):
                _settle(session, gate)


def _act(actor: Actor, session: Session, shown: str, move: Callable[[Gate], Move]) -> Gate:
    """Do it, unless what was shown is not what is there. What was due is kept even when the act is refused."""
    refused = None
    with transaction.atomic():
        gate = _locked(session)
        access.require(actor, session.project, APPROVE)  # under the lock: rights end for whoever waited for it
        if gate is None:
            raise Refused("no_gate", "Nobody asked for a gate on this session. Have it judged first.", 409)
        _settle(session, gate)
        try:
            check_shown(gate, shown)
            made = move(gate)
            made_by = "gate.undone" if made.trigger in BACK.values() else "gate.decided"
            _pull(session, gate, made.trigger, made_by, **made.fields)
        except Refused as refusal:
            refused = refusal
    if refused:
        raise refused
    return gate


def _decided(
    actor: Actor,
    session: Session,
    gate: Gate,
    act: str,
    to: str,
    *,
    part: str = "only",
    reason: str = "",
    hours: int | None = None,
) -> Move:
    """A decision by one person; the first of two when a pass takes two. The second ends it either way."""
    waits = part == "only" and to == PASS and gate.verdict["two_people"]
    origin = gate.origin if part == "second" else gate.state
    written = reason.strip() and add_text(session.project, session, "gate_reason", reason.strip()[:MOST_CHARACTERS])
    fields = {
        "id": uuid4(),
        "version": gate.version,
        "act": act,
        "part": "first" if waits else part,
        "was": _stands(gate),
        "to": to,
        "by": actor.user_id,
        "shown": token(gate),
        "self_approved": actor.user_id in starters_of(session),
        "origin": origin,
        "scope": gate.verdict["reasons"] if act == "override" else [],
        "hours": hours,
        "waits": policy_of(gate).hours if waits and origin != "pending" else None,
        "reason": text_ref(written.pk, written.digest) if written else None,
    }
    return Move("second" if waits else "decide", fields)


def _stands(gate: Gate) -> str:
    """The outcome that a decision is about: the one in force, or while nothing was decided the proposed one."""
    return str(gate.verdict["outcome"] if "pending" in (gate.state, gate.origin) else gate.outcome)


# --- what is due


def _settle(session: Session, gate: Gate) -> None:
    """Bring the gate to where evidence and time want it by now, and judge what has not been judged."""
    evidence = evidence_of(session)
    while trigger := trigger_due(gate, evidence):
        kind, fields = _due_event(gate, trigger)
        _pull(session, gate, trigger, kind, **fields)
    if gate.state == "withheld" and evidence:
        policy = policy_of(gate)
        verdict = judge(evidence, policy)
        needs_person, failed = bool(verdict.needs_person), gate.outcome == FAIL
        settles = at_once(policy, verdict.outcome, needs_person=needs_person, failed=failed)
        effect = {"outcome": verdict.outcome, "because": "automatic"} if settles else {}
        judged = {"version": gate.version + 1, "verdict": asdict(verdict), "digest": digest(evidence, policy)}
        trigger = "settle" if settles else "propose"
        _pull(session, gate, trigger, "gate.proposed", **judged, hours=policy.hours, **effect)
    Gate.objects.filter(pk=gate.pk).update(seen_seq=session.next_seq - 1)


def _due_event(gate: Gate, trigger: str) -> tuple[str, dict[str, Any]]:
    if trigger == "withhold":
        return "gate.withheld", {"why": "evidence_changed"}
    if trigger == "take_effect":
        assert gate.effective_at is not None  # that is what made it due
        seconds = ceil((timezone.now() - gate.effective_at).total_seconds())
        return "gate.took_effect", {"because": BECAUSE[gate.act], "hours": gate.hours, "late": seconds}
    if trigger == "lapse":
        return "gate.lapsed", {}
    late = gate.expires_at is not None and gate.expires_at <= timezone.now() and gate.state != "decided"
    return ("gate.expired", {}) if late else ("gate.undone", {"by": None})


def _ask(actor: Actor, session: Session, gate: Gate | None, policy: Policy) -> Gate:
    """The gate, withheld until it is judged by this policy. What took effect before ends, but for a fail."""
    outcome = outcome_after(situation(gate), "withhold") if gate else ""
    fields = {"state": "withheld", "outcome": outcome, "revision": gate.revision + 1 if gate else 1}
    fields |= {"by": actor.user_id, "policy": asdict(policy), "why": "policy_changed" if gate else "evidence_missing"}
    append(session, [Draft("gate.asked", fields)])
    return Gate.objects.get(session=session)


def _pull(session: Session, gate: Gate, trigger: str, kind: str, **fields: Any) -> None:
    """Swap the gate's state and log it, in the caller's transaction. Raises Refused for whoever comes second."""
    state, revision = after(gate.state, trigger), gate.revision + 1
    standing = Gate.objects.filter(pk=gate.pk, revision=gate.revision, state__in=sources_of(trigger))
    if state is None or not standing.update(state=state, revision=revision):
        raise was_first(gate)
    moved = {"state": state, "outcome": outcome_after(situation(gate), trigger), "revision": revision}
    append(session, [Draft(kind, moved | fields)])
    gate.refresh_from_db()
    if state in WAITING:
        cause = str(uuid5(gate.pk, str(revision)))
        outbox.post("announce", session=session.pk, cause=cause, what="gate")


def _locked(session: Session) -> Gate | None:
    """The session's row lock, the session as it is, and its gate."""
    Session.objects.select_for_update(no_key=True).only("pk").get(pk=session.pk)
    session.refresh_from_db()
    return Gate.objects.filter(session=session).select_related("session__project").first()
