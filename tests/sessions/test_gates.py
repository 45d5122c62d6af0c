"""Gates as people meet them: who decides, on what they were shown, and what counts downstream."""

import io
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.db import DatabaseError, connections, transaction
from django.http import Http404
from django.utils import timezone

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions import findings, gates
from sessions.actions.errors import Refused
from sessions.actions.gate_policies import Rules, save_policy, set_separate_approver
from sessions.actions.lifecycle import retry_session
from sessions.actions.projects import remove_member, set_member
from sessions.actions.purge import delete_artifact, delete_project
from sessions.engine.policy import SHIPPED
from sessions.invariants import violations
from sessions.models import Attempt, Event, Gate, GateDecision, GatePolicy, Outbox, Project, Role, Session
from sessions.queries.gates import GateView, gate_of, proposal_of
from sessions.reports.export import document, markdown
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
WHY = "The amount is checked by the caller."


@pytest.fixture
def approver(project: Project) -> User:
    return joined(project, "approver")


@pytest.fixture
def second(project: Project) -> User:
    return joined(project, "second")


@pytest.fixture
def clean(owner: User, project: Project) -> Session:
    """A review of which nothing blocks."""
    return ended(owner, project, ("minor", ["A-1", "B-1"]))


@pytest.fixture
def blocked(owner: User, project: Project) -> Session:
    """A review with a critical finding of two instances."""
    return ended(owner, project, ("critical", ["A-1", "B-1"]))


def joined(project: Project, name: str, role: str = Role.APPROVER) -> User:
    found = factories.user(name)
    factories.join(found, project, role)
    return found


def ended(owner: User, project: Project, *groups: tuple[str, list[str]]) -> Session:
    session = factories.running(owner, project)
    for letter in "ABC":
        reports = [factories.report(severity=severity) for severity, labels in groups if f"{letter}-1" in labels]
        factories.submit(session, letter, *reports)
    factories.merge(session, *groups)
    return factories.finish(session)


def asked(session: Session, policy: str = "standard") -> GateView:
    gates.judge_session(Actor(session.created_by), session, policy)
    return gate_of(session)


def pass_time(session: Session, **span: float) -> None:
    """Let every moment of the gate lie so much earlier."""
    row, by = Gate.objects.get(session=session), timedelta(**span)
    for name in ("expires_at", "effective_at", "override_until"):
        if moment := getattr(row, name):
            setattr(row, name, moment - by)
    row.save()


def settled(session: Session, **span: float) -> GateView:
    pass_time(session, **span)
    foreseen = gate_of(session)
    gates.settle_due()
    found = gate_of(session)
    if foreseen.state != "withheld":  # then writing judges anew
        assert (found.state, found.effective) == (foreseen.state, foreseen.effective), "reading and writing differ"
    return found


def refusal(act: Callable[[], Any]) -> Refused:
    with pytest.raises(Refused) as caught:
        act()
    return caught.value


# --- judging


def test_a_session_that_runs_is_withheld_and_judged_when_it_ends(owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    assert (asked(session).state, gate_of(session).why) == ("withheld", "evidence_missing")
    for letter in "ABC":
        factories.submit(session, letter)
    factories.merge(session)
    factories.finish(session)
    gates.settle_due()
    assert (gate_of(session).state, gate_of(session).outcome, gate_of(session).effective) == ("pending", "pass", "")
    assert violations() == []


def test_without_a_gate_the_standard_policy_says_what_it_would_propose(blocked: Session) -> None:
    found = gate_of(blocked)
    assert (found.asked, found.state, found.outcome, found.effective) == (False, "pending", "fail", "")
    assert not Gate.objects.exists()


def test_a_clean_pass_takes_effect_at_once_under_ci(clean: Session) -> None:
    found = asked(clean, "ci")
    assert (found.state, found.effective, found.because) == ("effective", "pass", "automatic")


def test_a_fail_takes_effect_at_once_under_ci_and_says_why(blocked: Session) -> None:
    found = asked(blocked, "ci")
    assert (found.state, found.effective, found.reasons) == ("effective", "fail", ("blocking_finding",))


def test_a_blocking_finding_of_one_alone_waits_for_a_person_under_ci(owner: User, project: Project) -> None:
    found = asked(ended(owner, project, ("critical", ["A-1"])), "ci")
    assert (found.state, found.outcome, found.effective) == ("pending", "pass", "")
    assert [reason["code"] for reason in found.verdict["needs_person"]] == ["raised_by_one"]


def test_a_member_who_sets_the_finding_aside_lets_nothing_pass(blocked: Session, member: User) -> None:
    asked(blocked, "ci")
    findings.decide(Actor(member), blocked, 1, "dismissed", "wrong")
    found = settled(blocked)
    assert (found.state, found.outcome, found.effective) == ("pending", "pass", "fail")


@pytest.mark.parametrize(("status", "reason"), [("failed", "no_answers"), ("cancelled", "")])
def test_a_session_without_a_result_proposes_a_fail(owner: User, project: Project, status: str, reason: str) -> None:
    session = factories.finish(factories.running(owner, project), reason="no_answers", status="failed")
    Session.objects.filter(pk=session.pk).update(status=status, reason=reason)
    session.refresh_from_db()
    found = gate_of(session)
    assert (found.outcome, found.reasons[0]) == ("fail", reason or status)


def test_another_policy_judges_again_without_asking_a_model(clean: Session, approver: User) -> None:
    asked(clean)
    before, foreseen = Attempt.objects.count(), proposal_of(clean, SHIPPED["strict"])
    gates.judge_session(Actor(approver), clean, "strict")
    found = gate_of(clean)
    assert (found.policy.key, found.outcome, found.version) == ("strict", foreseen.outcome, 2)
    assert Attempt.objects.count() == before
    assert violations() == []


DECISIONS: dict[str, Callable[[User, Session, str], Any]] = {
    "approve": lambda user, session, shown: gates.approve(Actor(user), session, shown),
    "reject": lambda user, session, shown: gates.reject(Actor(user), session, shown),
    "override": lambda user, session, shown: gates.override(Actor(user), session, shown, "fail", WHY),
}


@pytest.mark.parametrize("minutes", [0, 11])
@pytest.mark.parametrize("act", sorted(DECISIONS))
def test_what_a_person_decided_is_not_judged_again(
    clean: Session, owner: User, approver: User, act: str, minutes: int
) -> None:
    """Neither while it can be taken back nor once it is in effect, by any policy, by whoever started it."""
    DECISIONS[act](approver, clean, asked(clean).shown)
    pass_time(clean, minutes=minutes)
    before = gate_of(clean)
    for policy in ("ci", "strict"):
        refused = refusal(lambda policy=policy: gates.judge_session(Actor(owner), clean, policy))  # type: ignore[misc]
        assert (refused.code, refused.status) == ("decided_already", 409)
        assert approver.name in refused.sentence
        assert ("It is in effect" if minutes else "can take it back") in refused.sentence
    assert gate_of(clean) == before


def test_the_first_decision_of_two_is_not_judged_away(clean: Session, owner: User, approver: User) -> None:
    gates.approve(Actor(approver), clean, asked(clean, "strict").shown)
    assert refusal(lambda: gates.judge_session(Actor(owner), clean, "ci")).code == "decided_already"
    assert gate_of(clean).state == "second_person"


def test_what_was_taken_back_can_be_judged_by_a_stricter_policy(clean: Session, approver: User) -> None:
    gates.approve(Actor(approver), clean, asked(clean).shown)
    gates.undo(Actor(approver), clean, gate_of(clean).shown)
    gates.judge_session(Actor(approver), clean, "strict")
    assert gate_of(clean).policy.key == "strict"


@pytest.mark.parametrize("asked_by", ["ci", "standard"])
def test_no_other_policy_lets_pass_what_fails(blocked: Session, owner: User, approver: User, asked_by: str) -> None:
    save_policy(Actor(owner), blocked.project, "lax", "Lax", Rules(block_severity="blocker", automatic=True))
    before = asked(blocked, asked_by)
    for user in (owner, approver):
        refused = refusal(lambda user=user: gates.judge_session(Actor(user), blocked, "lax"))  # type: ignore[misc]
        assert (refused.code, refused.status, "override it" in refused.sentence) == ("override_needed", 409, True)
    assert gate_of(blocked) == before


def test_a_next_version_of_the_policy_lets_nothing_pass_either(blocked: Session, owner: User) -> None:
    save_policy(Actor(owner), blocked.project, "release", "Release", Rules())
    asked(blocked, "release")
    save_policy(Actor(owner), blocked.project, "release", "Release", Rules(block_severity="blocker"))
    assert refusal(lambda: asked(blocked, "release")).code == "override_needed"
    assert gate_of(blocked).policy.version == 1


def test_a_gate_that_expired_is_not_judged_back_to_life(clean: Session, owner: User) -> None:
    asked(clean)
    settled(clean, hours=73)
    for policy in ("ci", "strict"):
        assert refusal(lambda policy=policy: asked(clean, policy)).code == "override_needed"  # type: ignore[misc]


@pytest.mark.parametrize(("first", "then"), [("strict", "standard"), ("strict", "ci"), ("standard", "ci")])
def test_no_other_policy_takes_out_who_has_to_agree(clean: Session, owner: User, first: str, then: str) -> None:
    asked(clean, first)
    refused = refusal(lambda: gates.judge_session(Actor(owner), clean, then))
    assert (refused.code, refused.status, gate_of(clean).effective) == ("fewer_people", 409, "")


def test_what_fails_for_two_people_is_not_made_one_persons_to_override(owner: User, project: Project) -> None:
    session = ended(owner, project, ("critical", ["A-1", "B-1"]))
    asked(session, "strict")
    assert refusal(lambda: asked(session, "standard")).code == "fewer_people"


def test_what_a_policy_passed_at_once_can_be_judged_by_a_stricter_one(clean: Session) -> None:
    assert asked(clean, "ci").effective == "pass"
    assert (asked(clean, "standard").state, gate_of(clean).effective) == ("pending", "")


def test_nobody_picks_another_policy_before_there_is_a_verdict(owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    asked(session, "strict")
    assert refusal(lambda: asked(session, "ci")).code == "gate_withheld"
    assert gate_of(session).policy.key == "strict"


def test_whoever_started_it_ends_no_fail_by_working_on_findings(clean: Session, owner: User, approver: User) -> None:
    """An approver overrode to fail; other evidence makes the policy propose a pass, and the fail stays in effect."""
    gates.override(Actor(approver), clean, asked(clean).shown, "fail", WHY)
    settled(clean, minutes=11)
    for severity in ("critical", "minor"):
        findings.regrade(Actor(owner), clean, 1, severity)
        gates.settle_due()
    found = gate_of(clean)
    assert (found.state, found.outcome, found.effective) == ("pending", "pass", "fail")
    refused = refusal(lambda: gates.approve(Actor(owner), clean, found.shown))
    assert (refused.code, gate_of(clean).effective) == ("separate_approver", "fail")
    gates.approve(Actor(approver), clean, found.shown)
    assert settled(clean, minutes=11).effective == "pass"


def test_another_policy_is_an_approvers_to_choose(clean: Session, member: User) -> None:
    asked(clean)
    with pytest.raises(PermissionDenied):
        gates.judge_session(Actor(member), clean, "ci")
    assert gate_of(clean).policy.key == "standard"


def test_asking_twice_for_the_same_changes_nothing(clean: Session) -> None:
    first = asked(clean)
    assert asked(clean) == first


def test_an_unknown_policy_is_refused_with_those_there_are(clean: Session) -> None:
    refused = refusal(lambda: asked(clean, "lenient"))
    assert (refused.code, "standard, ci, strict" in refused.sentence) == ("policy_unknown", True)


# --- deciding


def test_an_approval_takes_effect_after_ten_minutes(clean: Session, approver: User) -> None:
    gates.approve(Actor(approver), clean, asked(clean).shown)
    found = gate_of(clean)
    assert (found.state, found.effective, found.decided_by) == ("decided", "", approver.name)
    assert settled(clean, minutes=9).state == "decided"
    found = settled(clean, minutes=2)
    assert (found.state, found.effective, found.because) == ("effective", "pass", "accepted")
    assert found.decided_by == approver.name


def test_the_gate_says_whose_decision_counts_in_every_state(blocked: Session, approver: User, second: User) -> None:
    def said(gate: GateView) -> tuple[str, str]:
        assert document(blocked)["gate"]["decided_by"] == gate.decided_by
        return gate.state, gate.decided_by

    first = asked(blocked)
    assert said(first) == ("pending", "")
    gates.override(Actor(approver), blocked, first.shown, "pass", WHY)
    assert said(gate_of(blocked)) == ("decided", approver.name)
    pass_time(blocked, minutes=11)
    assert said(gate_of(blocked)) == ("effective", approver.name)
    gates.settle_due()
    assert said(gate_of(blocked)) == ("effective", approver.name)
    gates.override(Actor(second), blocked, gate_of(blocked).shown, "fail", WHY)
    assert said(gate_of(blocked)) == ("decided", second.name)
    gates.undo(Actor(second), blocked, gate_of(blocked).shown)
    assert said(gate_of(blocked)) == ("effective", approver.name)


def test_a_decision_can_be_taken_back_by_its_maker_alone(clean: Session, approver: User, second: User) -> None:
    gates.approve(Actor(approver), clean, asked(clean).shown)
    shown = gate_of(clean).shown
    assert refusal(lambda: gates.undo(Actor(second), clean, shown)).code == "not_yours"
    gates.undo(Actor(approver), clean, shown)
    assert (gate_of(clean).state, gate_of(clean).effective) == ("pending", "")
    assert violations() == []


@pytest.mark.parametrize("is_written", [False, True])
def test_what_took_effect_cannot_be_taken_back(clean: Session, approver: User, is_written: bool) -> None:
    gates.approve(Actor(approver), clean, asked(clean).shown)
    shown = gate_of(clean).shown
    pass_time(clean, minutes=11)
    if is_written:
        gates.settle_due()
        shown = gate_of(clean).shown
    refused = refusal(lambda: gates.undo(Actor(approver), clean, shown))
    assert (refused.code, refused.status) == ("decided_already", 409)
    assert "override it with a reason" in refused.sentence
    assert gate_of(clean).effective == "pass"


def test_a_rejected_pass_is_a_fail(clean: Session, approver: User) -> None:
    gates.reject(Actor(approver), clean, asked(clean).shown, "Not before the holidays.")
    found = settled(clean, minutes=11)
    assert (found.effective, found.reasons) == ("fail", ("rejected",))
    assert found.decisions[0].why == "Not before the holidays."


def test_a_fail_cannot_be_rejected(blocked: Session, approver: User) -> None:
    shown = asked(blocked).shown
    assert refusal(lambda: gates.reject(Actor(approver), blocked, shown)).code == "nothing_to_reject"


def test_nobody_deciding_in_time_is_a_fail(clean: Session) -> None:
    asked(clean)
    found = settled(clean, hours=73)
    assert (found.state, found.effective, found.reasons) == ("expired", "fail", ("approval_expired",))
    assert violations() == []


def test_an_approval_is_used_once(clean: Session, approver: User) -> None:
    shown = asked(clean).shown
    gates.approve(Actor(approver), clean, shown)
    refused = refusal(lambda: gates.approve(Actor(approver), clean, shown))
    assert (refused.code, refused.status, approver.name in refused.sentence) == ("decided_already", 409, True)
    assert GateDecision.objects.count() == 1


def test_what_was_shown_of_one_gate_decides_no_other(clean: Session, blocked: Session, approver: User) -> None:
    asked(clean)
    other = asked(blocked).shown
    assert refusal(lambda: gates.approve(Actor(approver), clean, other)).status == 409
    assert not GateDecision.objects.exists()


def test_nobody_decides_on_what_runs(owner: User, project: Project, approver: User) -> None:
    session = factories.running(owner, project)
    shown = asked(session).shown
    assert refusal(lambda: gates.approve(Actor(approver), session, shown)).code == "gate_withheld"


def test_nobody_decides_where_nobody_asked(clean: Session, approver: User) -> None:
    assert refusal(lambda: gates.approve(Actor(approver), clean, "")).code == "no_gate"


# --- evidence that changes


def test_an_approval_of_changed_evidence_is_refused(clean: Session, owner: User, approver: User) -> None:
    shown = asked(clean).shown
    findings.regrade(Actor(owner), clean, 1, "critical")
    refused = refusal(lambda: gates.approve(Actor(approver), clean, shown))
    assert (refused.code, refused.status) == ("evidence_changed", 409)
    assert (gate_of(clean).outcome, gate_of(clean).version, GateDecision.objects.count()) == ("fail", 2, 0)


def test_a_pass_ends_when_its_evidence_changes_before_anything_is_written(clean: Session, owner: User) -> None:
    asked(clean, "ci")
    findings.regrade(Actor(owner), clean, 1, "blocker")
    assert (gate_of(clean).state, gate_of(clean).effective) == ("withheld", "")


def test_an_approval_in_its_ten_minutes_lapses_with_its_evidence(clean: Session, owner: User, approver: User) -> None:
    gates.approve(Actor(approver), clean, asked(clean).shown)
    findings.regrade(Actor(owner), clean, 1, "critical")
    gates.settle_due()
    found = gate_of(clean)
    assert (found.state, found.why, found.outcome, found.effective) == ("pending", "evidence_changed", "fail", "")
    assert violations() == []


def test_work_on_what_does_not_block_leaves_a_pass_alone(clean: Session, owner: User) -> None:
    asked(clean, "ci")
    findings.decide(Actor(owner), clean, 1, "fixed")
    findings.comment(Actor(owner), clean, 1, "Done in 4f2.")
    gates.settle_due()
    assert (gate_of(clean).effective, gate_of(clean).version) == ("pass", 1)


def test_a_retry_withholds_the_gate_until_it_ends(owner: User, project: Project) -> None:
    session = factories.reviewed(owner, project)
    assert asked(session, "ci").effective == "fail"
    retry_session(Actor(owner), session, dispatch=False)
    gates.settle_due()
    assert (gate_of(session).state, gate_of(session).effective) == ("withheld", "fail")


# --- overrides


def test_an_override_is_a_record_of_its_own_beside_the_verdict(blocked: Session, approver: User) -> None:
    gates.override(Actor(approver), blocked, asked(blocked, "ci").shown, "pass", WHY)
    assert gate_of(blocked).effective == "fail"
    found = settled(blocked, minutes=11)
    assert (found.effective, found.because, found.why, found.verdict["outcome"]) == ("pass", "overridden", "", "fail")
    assert found.reasons == ("overridden", "blocking_finding")
    record = found.decisions[0]
    assert (record.act, record.was, record.to, record.by, record.why) == (
        "override", "fail", "pass", approver.name, WHY
    )  # fmt: skip
    assert record.scope[0]["findings"] == [1]
    told = f"- Overrode: fail to pass, by Approver, {record.at:%Y-%m-%d %H:%M} UTC. {WHY}"
    assert told in markdown(blocked).splitlines()


@pytest.mark.parametrize("reason", ["", "   ", "Nineteen characters", " " * 30 + "short"])
def test_an_override_needs_a_reason(blocked: Session, approver: User, reason: str) -> None:
    shown = asked(blocked).shown
    refused = refusal(lambda: gates.override(Actor(approver), blocked, shown, "pass", reason))
    assert (refused.code, refused.status, GateDecision.objects.count()) == ("reason_needed", 422, 0)


@pytest.mark.parametrize(
    ("to", "hours", "code"),
    [
        ("maybe", None, "bad_outcome"),
        ("fail", 5, "bad_hours"),
        ("pass", 0, "bad_hours"),
        ("fail", None, "nothing_to_override"),
    ],
)
def test_an_override_has_to_make_sense(blocked: Session, approver: User, to: str, hours: int | None, code: str) -> None:
    shown = asked(blocked).shown
    assert refusal(lambda: gates.override(Actor(approver), blocked, shown, to, WHY, hours)).code == code


def test_an_override_that_is_over_returns_to_the_fail(blocked: Session, approver: User) -> None:
    gates.override(Actor(approver), blocked, asked(blocked).shown, "pass", WHY, hours=5)
    assert settled(blocked, minutes=11).effective == "pass"
    found = settled(blocked, hours=6)
    assert (found.state, found.effective) == ("effective", "fail")
    assert found.reasons == ("override_expired", "blocking_finding")


def test_an_override_that_began_and_ended_unseen_is_over(blocked: Session, approver: User) -> None:
    gates.override(Actor(approver), blocked, asked(blocked).shown, "pass", WHY, hours=5)
    assert settled(blocked, hours=8).effective == "fail"
    assert [*Event.objects.filter(kind="gate.lapsed").values_list("session", flat=True)] == [blocked.pk]


def test_an_override_holds_from_when_it_took_effect_not_from_when_that_was_written(
    blocked: Session, approver: User
) -> None:
    gates.override(Actor(approver), blocked, asked(blocked).shown, "pass", WHY, hours=5)
    assert settled(blocked, hours=3).effective == "pass"
    assert settled(blocked, hours=3).effective == "fail"


def test_an_expired_gate_can_be_overridden(clean: Session, approver: User) -> None:
    asked(clean)
    shown = settled(clean, hours=73).shown
    gates.override(Actor(approver), clean, shown, "pass", WHY)
    assert settled(clean, minutes=11).effective == "pass"


def test_an_override_that_is_taken_back_leaves_what_was(blocked: Session, approver: User) -> None:
    gates.override(Actor(approver), blocked, asked(blocked, "ci").shown, "pass", WHY)
    gates.undo(Actor(approver), blocked, gate_of(blocked).shown)
    assert (gate_of(blocked).state, gate_of(blocked).effective) == ("effective", "fail")


# --- who may


def test_whoever_started_it_may_approve_and_not_override(clean: Session, blocked: Session, owner: User) -> None:
    gates.approve(Actor(owner), clean, asked(clean).shown)
    assert gate_of(clean).decisions[0].self_approved
    shown = asked(blocked).shown
    refused = refusal(lambda: gates.override(Actor(owner), blocked, shown, "pass", WHY))
    assert (refused.code, refused.status) == ("separate_approver", 403)


def test_a_project_may_want_somebody_else_always_or_never(
    clean: Session, blocked: Session, project: Project, owner: User
) -> None:
    set_separate_approver(project, "always")
    shown = asked(clean).shown
    assert refusal(lambda: gates.approve(Actor(owner), clean, shown)).code == "separate_approver"
    set_separate_approver(project, "none")
    gates.override(Actor(owner), blocked, asked(blocked).shown, "pass", WHY)
    assert gate_of(blocked).state == "decided"


@pytest.mark.parametrize("role", [Role.MEMBER, Role.VIEWER])
def test_members_and_viewers_do_not_decide(clean: Session, project: Project, role: str) -> None:
    shown, somebody = asked(clean).shown, joined(project, "somebody", role)
    with pytest.raises(PermissionDenied):
        gates.approve(Actor(somebody), clean, shown)
    assert not GateDecision.objects.exists()


def test_somebody_removed_meanwhile_decides_nothing(
    clean: Session, project: Project, owner: User, approver: User
) -> None:
    shown = asked(clean).shown
    remove_member(Actor(owner), project, approver)
    with pytest.raises(Http404):
        gates.approve(Actor(approver), clean, shown)
    assert not GateDecision.objects.exists()


@pytest.mark.parametrize("is_removed", [False, True])
def test_a_decision_lapses_when_its_maker_loses_the_right_to_it(
    clean: Session, project: Project, owner: User, approver: User, is_removed: bool
) -> None:
    gates.approve(Actor(approver), clean, asked(clean).shown)
    if is_removed:
        remove_member(Actor(owner), project, approver)
    else:
        set_member(Actor(owner), project, approver, Role.MEMBER)
    found = settled(clean, minutes=11)
    assert (found.state, found.effective) == ("pending", "")


# --- two people


def test_a_blocker_passes_with_two_people_only(owner: User, project: Project, approver: User, second: User) -> None:
    session = ended(owner, project, ("blocker", ["A-1", "B-1"]))
    gates.override(Actor(approver), session, asked(session).shown, "pass", WHY)
    shown = gate_of(session).shown
    assert (gate_of(session).state, settled(session, minutes=11).state) == ("second_person", "second_person")
    assert refusal(lambda: gates.approve(Actor(approver), session, shown)).code == "same_person"
    gates.approve(Actor(second), session, shown)
    found = settled(session, minutes=11)
    assert (found.effective, found.because) == ("pass", "overridden")
    assert [(one.part, one.by) for one in found.decisions] == [("first", approver.name), ("second", second.name)]
    assert (found.decided_by, found.seconded_by) == (approver.name, second.name)


def test_the_second_person_may_say_no(clean: Session, approver: User, second: User) -> None:
    gates.approve(Actor(approver), clean, asked(clean, "strict").shown)
    gates.reject(Actor(second), clean, gate_of(clean).shown)
    assert settled(clean, minutes=11).effective == "fail"


def test_a_second_person_who_never_comes_is_a_fail(clean: Session, approver: User) -> None:
    gates.approve(Actor(approver), clean, asked(clean, "strict").shown)
    assert settled(clean, hours=73).state == "expired"


def test_the_second_looks_at_the_evidence_of_the_first(
    clean: Session, owner: User, approver: User, second: User
) -> None:
    gates.approve(Actor(approver), clean, asked(clean, "strict").shown)
    shown = gate_of(clean).shown
    findings.regrade(Actor(owner), clean, 1, "critical")
    assert refusal(lambda: gates.approve(Actor(second), clean, shown)).code == "evidence_changed"


# --- at once


def at_once(*acts: Callable[[], Any]) -> list[str]:
    """What each was told, in the order of `acts`: `done`, or the code of the refusal."""
    start, told = threading.Barrier(len(acts)), [""] * len(acts)

    def run(number: int) -> None:
        start.wait()
        try:
            acts[number]()
            told[number] = "done"
        except Refused as refused:
            told[number] = refused.code
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return told


@pytest.mark.parametrize("others", ["approve", "reject"])
def test_of_many_who_decide_at_once_exactly_one_does(clean: Session, approver: User, second: User, others: str) -> None:
    shown, refuses = asked(clean).shown, getattr(gates, others)
    told = at_once(
        *[
            lambda: gates.approve(Actor(approver), clean, shown),
            lambda: refuses(Actor(second), clean, shown),
        ]
        * 20
    )
    assert Counter(told) == {"done": 1, "decided_already": 39}
    assert GateDecision.objects.count() == 1
    assert gate_of(clean).to == GateDecision.objects.get().to
    assert violations() == []


def test_of_two_overrides_at_once_one_counts(blocked: Session, approver: User, second: User) -> None:
    shown = asked(blocked, "ci").shown
    told = at_once(
        lambda: gates.override(Actor(approver), blocked, shown, "pass", WHY),
        lambda: gates.override(Actor(second), blocked, shown, "pass", WHY, 5),
    )
    assert sorted(told) == ["decided_already", "done"]
    assert GateDecision.objects.get().by == (approver, second)[told.index("done")]
    assert settled(blocked, minutes=11).effective == "pass"
    assert violations() == []


@pytest.mark.parametrize("policy", ["lax", "strict"])
def test_an_override_and_a_judgement_by_another_policy_at_once(
    blocked: Session, owner: User, approver: User, policy: str
) -> None:
    """Whoever comes first: what a person said is not judged away, and nobody overrides a verdict they did not see."""
    save_policy(Actor(owner), blocked.project, "lax", "Lax", Rules(block_severity="blocker", automatic=True))
    shown = asked(blocked).shown
    told = at_once(
        *[
            lambda: gates.judge_session(Actor(owner), blocked, policy),
            lambda: gates.override(Actor(approver), blocked, shown, "pass", WHY),
        ]
        * 5
    )
    overridden = GateDecision.objects.count()
    assert overridden <= 1
    if overridden:
        assert (gate_of(blocked).policy.key, gate_of(blocked).decided_by) == ("standard", approver.name)
        assert set(told[::2]) <= {"decided_already", "override_needed"}
    else:
        assert (gate_of(blocked).policy.key, set(told[1::2])) == ("strict", {"evidence_changed"})
    assert gate_of(blocked).effective == ""
    assert violations() == []


def test_an_override_that_races_with_taking_effect_has_to_look_again(
    clean: Session, approver: User, second: User
) -> None:
    """The token names the decision that had not taken effect."""
    gates.approve(Actor(approver), clean, asked(clean).shown)
    pass_time(clean, minutes=11)
    shown = gate_of(clean).shown
    told = at_once(gates.settle_due, lambda: gates.override(Actor(second), clean, shown, "fail", WHY))
    assert (gate_of(clean).effective, told) == ("pass", ["done", "decided_already"])


def test_a_decision_that_is_taken_back_while_it_takes_effect_stands(clean: Session, approver: User) -> None:
    gates.approve(Actor(approver), clean, asked(clean).shown)
    shown = gate_of(clean).shown
    pass_time(clean, minutes=11)
    told = at_once(gates.settle_due, lambda: gates.undo(Actor(approver), clean, shown))
    assert (gate_of(clean).effective, told) == ("pass", ["done", "decided_already"])


@pytest.mark.parametrize("act", ["approve", "override"])
def test_a_decision_that_races_with_expiry_is_too_late(clean: Session, approver: User, act: str) -> None:
    shown = asked(clean).shown
    pass_time(clean, hours=73)
    more = ("pass", WHY) if act == "override" else ()
    told = at_once(gates.settle_due, lambda: getattr(gates, act)(Actor(approver), clean, shown, *more))
    assert (gate_of(clean).state, gate_of(clean).effective, told) == ("expired", "fail", ["done", "gate_expired"])
    assert not GateDecision.objects.exists()


def test_evidence_that_changes_while_an_approval_takes_effect_is_judged_anew(
    clean: Session, owner: User, approver: User
) -> None:
    gates.approve(Actor(approver), clean, asked(clean).shown)
    pass_time(clean, minutes=11)
    told = at_once(gates.settle_due, lambda: findings.regrade(Actor(owner), clean, 1, "critical"))
    gates.settle_due()
    assert (gate_of(clean).outcome, gate_of(clean).effective, told) == ("fail", "", ["done", "done"])


# --- what is kept, and who hears of it


def test_decisions_and_policies_are_append_only(clean: Session, project: Project, approver: User) -> None:
    gates.approve(Actor(approver), clean, asked(clean).shown)
    save_policy(Actor(approver), project, "release", "Release", Rules())
    for model, change in ((GateDecision, {"to": "fail"}), (GatePolicy, {"label": "Other"})):
        with pytest.raises(DatabaseError), transaction.atomic():
            model._default_manager.update(**change)


def test_a_policy_of_the_project_has_versions_and_gates_keep_theirs(clean: Session, owner: User) -> None:
    save_policy(Actor(owner), clean.project, "release", "Release", Rules(automatic=True))
    assert asked(clean, "release").effective == "pass"
    save_policy(Actor(owner), clean.project, "release", "Release", Rules(block_severity="minor"))
    assert (gate_of(clean).policy.version, gate_of(clean).effective) == (1, "pass")
    gates.judge_session(Actor(owner), clean, "release")
    assert (gate_of(clean).policy.version, gate_of(clean).outcome) == (2, "fail")
    assert refusal(lambda: save_policy(Actor(owner), clean.project, "ci", "Mine", Rules())).code == "policy_shipped"


def test_a_project_with_gates_can_be_deleted(clean: Session, owner: User, approver: User) -> None:
    save_policy(Actor(owner), clean.project, "release", "Release", Rules())
    gates.reject(Actor(approver), clean, asked(clean, "release").shown, "Nobody needs it.")
    delete_project(Actor(owner), clean.project)
    reason = GateDecision.objects.get().reason
    assert reason is not None
    assert (GatePolicy.objects.count(), reason.text) == (0, "")
    gates.settle_due()


def test_a_waiting_gate_is_told_once_and_an_effective_one_is_not(clean: Session, blocked: Session) -> None:
    asked(clean)
    asked(blocked, "ci")
    gates.settle_due()
    told = Outbox.objects.filter(kind="announce", payload__what="gate")
    assert [message.payload["session"] for message in told] == [clean.pk]


def test_the_log_says_what_happened_in_order(clean: Session, approver: User) -> None:
    gates.approve(Actor(approver), clean, asked(clean).shown)
    gates.undo(Actor(approver), clean, gate_of(clean).shown)
    said = Event.objects.filter(session=clean, kind__startswith="gate.").order_by("seq").values_list("kind", flat=True)
    assert list(said) == ["gate.asked", "gate.proposed", "gate.decided", "gate.undone"]


def test_the_export_names_outcome_state_and_reasons(blocked: Session) -> None:
    asked(blocked, "ci")
    gate = document(blocked)["gate"]
    assert (gate["outcome"], gate["state"], gate["reasons"]) == ("fail", "effective", ["blocking_finding"])
    assert gate["details"] == [{"code": "blocking_finding", "findings": ["F-001"], "letters": []}]


# --- the command


def said_by_command(session: Session, *options: str) -> tuple[int, str]:
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended_with:
        call_command("gate", str(session.code), *options, stdout=out, stderr=io.StringIO())
    return int(str(ended_with.value.code)), out.getvalue()


def test_the_command_exits_as_the_gate_says(clean: Session, blocked: Session, approver: User) -> None:
    asked(clean, "ci")
    asked(blocked)
    assert said_by_command(clean)[0] == 0
    code, words = said_by_command(blocked, "--wait", "0.1")
    assert (code, words.strip()) == (4, "Waiting for a decision: fail. Blocking finding: F-001.")
    gates.approve(Actor(approver), blocked, gate_of(blocked).shown)
    pass_time(blocked, minutes=11)
    assert said_by_command(blocked)[0] == 3


def test_what_failed_and_is_judged_anew_waits_again(blocked: Session, owner: User) -> None:
    asked(blocked, "ci")
    assert said_by_command(blocked)[0] == 3
    findings.decide(Actor(owner), blocked, 1, "fixed")
    assert said_by_command(blocked)[0] == 4
    gates.settle_due()
    assert (said_by_command(blocked)[0], gate_of(blocked).effective) == (4, "fail")


def test_the_command_waits_until_somebody_decided(clean: Session, approver: User) -> None:
    gates.approve(Actor(approver), clean, asked(clean).shown)
    Gate.objects.filter(session=clean).update(effective_at=timezone.now() + timedelta(seconds=0.7))
    assert said_by_command(clean, "--wait", "5")[0] == 0


def test_the_reason_of_an_override_outlives_the_artifact(blocked: Session, owner: User, approver: User) -> None:
    gates.override(Actor(approver), blocked, asked(blocked).shown, "pass", WHY)
    delete_artifact(Actor(owner), blocked.sources.get().version.artifact)
    gates.settle_due()
    found = gate_of(blocked)
    assert (found.outcome, found.effective, found.decisions[0].why) == ("fail", "", WHY)
