"""A gate under everything that people, time and evidence do to it, on the database: what counts downstream is never
more than what people said on the evidence there is."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions import findings, gates
from sessions.actions.errors import Refused
from sessions.invariants import verify_timeline
from sessions.models import Gate, GateDecision, Project, Role
from sessions.queries.gates import gate_of
from tests import factories

WHY = "We looked at it together and it holds."
SEVERITIES = ("minor", "critical", "blocker")
POLICIES = ("ci", "standard", "strict")


class Gates(RuleBasedStateMachine):
    """`claims` remembers, per judgement, which passes people asked for: nobody else may make one."""

    owner: User
    project: Project
    people: list[User]

    @initialize(policy=st.sampled_from(POLICIES), severity=st.sampled_from(SEVERITIES))
    def a_judged_review(self, policy: str, severity: str) -> None:
        session = factories.running(self.owner, self.project)
        for letter in "ABC":
            factories.submit(session, letter, *([] if letter == "C" else [factories.report(severity=severity)]))
        factories.merge(session, (severity, ["A-1", "B-1"]))
        self.session = factories.finish(session)
        self.decisions, self.claims = 0, set[int]()
        gates.judge_session(Actor(self.owner), self.session, policy)

    def shown(self, stale: bool) -> str:
        return "0" * 64 if stale else gate_of(self.session).shown

    def act(self, act: Any, *arguments: Any) -> None:
        try:
            gate = act(*arguments)
        except Refused:
            return
        if gate.to == "pass" and gate.state == "decided":
            self.claims.add(gate.version)

    @rule(who=st.integers(0, 1), stale=st.booleans())
    def approve(self, who: int, stale: bool) -> None:
        self.act(gates.approve, Actor(self.people[who]), self.session, self.shown(stale))

    @rule(who=st.integers(0, 1))
    def reject(self, who: int) -> None:
        self.act(gates.reject, Actor(self.people[who]), self.session, self.shown(False))

    @rule(who=st.integers(0, 1), to=st.sampled_from(["pass", "fail"]), hours=st.sampled_from([None, 1]))
    def override(self, who: int, to: str, hours: int | None) -> None:
        hours = hours if to == "pass" else None
        self.act(gates.override, Actor(self.people[who]), self.session, self.shown(False), to, WHY, hours)

    @rule(who=st.integers(0, 1))
    def undo(self, who: int) -> None:
        self.act(gates.undo, Actor(self.people[who]), self.session, self.shown(False))

    @rule(policy=st.sampled_from(POLICIES))
    def judge_by_another_policy(self, policy: str) -> None:
        before = gate_of(self.session)
        self.act(gates.judge_session, Actor(self.owner), self.session, policy)
        after = gate_of(self.session)
        if before.policy.key != policy == after.policy.key and before.state != "withheld":
            assert not before.deciders
            assert (before.outcome, after.outcome) != ("fail", "pass")

    @rule(severity=st.sampled_from(SEVERITIES))
    def evidence_changes(self, severity: str) -> None:
        findings.regrade(Actor(self.owner), self.session, 1, severity)

    @rule(minutes=st.sampled_from([5, 11, 90, 80 * 60]))
    def time_goes_by(self, minutes: int) -> None:
        row = Gate.objects.get(session=self.session)
        for name in ("expires_at", "effective_at", "override_until"):
            if moment := getattr(row, name):
                setattr(row, name, moment - timedelta(minutes=minutes))
        row.save()

    @rule()
    def the_sweeper_comes(self) -> None:
        before = gate_of(self.session)
        gates.settle_due()
        after = gate_of(self.session)
        if before.state != "withheld":
            assert (after.state, after.effective) == (before.state, before.effective)

    @invariant()
    def a_pass_has_somebody_behind_it_or_a_clean_verdict(self) -> None:
        found = gate_of(self.session)
        if found.effective == "pass":
            clean = found.verdict["outcome"] == "pass" and not found.verdict["needs_person"]
            assert (found.version in self.claims) or (clean and found.policy.automatic)

    @invariant()
    def nothing_is_forgotten(self) -> None:
        count = GateDecision.objects.filter(gate__session=self.session).count()
        assert count >= self.decisions
        self.decisions = count

    @invariant()
    def a_gate_has_one_open_decision_at_most(self) -> None:
        row = Gate.objects.get(session=self.session)
        assert (row.state in {"decided", "second_person"}) == (row.decided_by_id is not None)
        assert row.state != "decided" or row.effective_at is not None
        if row.state == "effective":
            assert row.outcome in {"pass", "fail"}


@pytest.mark.django_db
def test_whatever_happens_nothing_passes_that_nobody_let_pass(owner: User, project: Project) -> None:
    Gates.owner, Gates.project = owner, project
    Gates.people = [factories.user("first"), factories.user("second")]
    for user in Gates.people:
        factories.join(user, project, Role.APPROVER)
    slow = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        Gates, settings=settings(max_examples=25, stateful_step_count=20, suppress_health_check=slow)
    )


@pytest.mark.django_db
def test_the_rows_follow_from_the_log_after_a_long_history(owner: User, project: Project) -> None:
    session = factories.reviewed(owner, project)
    first, second = factories.user("first"), factories.user("second")
    for user in (first, second):
        factories.join(user, project, Role.APPROVER)
    gates.judge_session(Actor(owner), session, "strict")
    gates.override(Actor(first), session, gate_of(session).shown, "pass", WHY, 3)
    gates.undo(Actor(first), session, gate_of(session).shown)
    gates.override(Actor(second), session, gate_of(session).shown, "pass", WHY, 3)
    gates.reject(Actor(first), session, gate_of(session).shown, "No.")
    findings.regrade(Actor(owner), session, 1, "blocker")
    gates.judge_session(Actor(owner), session, "ci")
    gates.override(Actor(first), session, gate_of(session).shown, "pass", WHY)
    gates.approve(Actor(second), session, gate_of(session).shown)
    assert Gate.objects.get(session=session).effective_at > timezone.now()  # type: ignore[operator]
    assert list(verify_timeline(session)) == []
