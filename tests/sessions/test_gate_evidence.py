"""What gates read of every kind of session."""

import pytest

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions import findings, gates
from sessions.actions.purge import delete_artifact
from sessions.models import Project, Session
from sessions.queries.deliberation import deliberation_of
from sessions.queries.evidence import evidence_of
from sessions.queries.gates import gate_of
from tests import factories

pytestmark = pytest.mark.django_db


def judged(session: Session, policy: str = "ci") -> tuple[str, str, tuple[str, ...]]:
    gates.judge_session(Actor(session.created_by), session, policy)
    found = gate_of(session)
    return found.state, found.outcome, found.reasons


def test_a_review_leaves_who_answered_and_what_they_raised(reviewed: Session) -> None:
    found = evidence_of(reviewed)
    assert found is not None
    assert (found.seats, found.answered, found.missing) == (3, ("A", "B"), {"C": "timeout_first_byte"})
    first = found.findings[0]
    assert (first.number, first.severity, first.lowest, first.highest) == (1, "critical", "major", "critical")
    assert (first.raised_by, first.verified, first.status) == (("A", "B"), True, "")


def test_what_runs_has_left_nothing_yet(owner: User, project: Project) -> None:
    assert evidence_of(factories.running(owner, project)) is None


def test_a_deliberation_that_converged_has_statuses_and_confidence(owner: User, project: Project) -> None:
    session = factories.deliberated(owner, project)
    found, view = evidence_of(session), deliberation_of(session)
    assert found is not None
    assert view is not None
    assert view.decided is not None
    assert (found.outcome, [one.status for one in found.findings]) == ("converged", ["accepted"])
    assert (found.confidence, found.result) == (view.decided.data["confidence"], view.decided.version.digest)


def test_a_deliberation_that_agrees_on_less_than_a_critical_passes(owner: User, project: Project) -> None:
    assert judged(factories.deliberated(owner, project), "standard")[1:] == ("pass", ())


def test_a_deliberation_that_diverged_fails(owner: User, project: Project) -> None:
    state, outcome, reasons = judged(factories.deliberated(owner, project, "add", "add"))
    assert (state, outcome, reasons[0]) == ("effective", "fail", "not_converged")


def test_a_deliberation_in_which_nobody_takes_a_side_fails(owner: User, project: Project) -> None:
    state, outcome, reasons = judged(factories.deliberated(owner, project, "a??", "a??"))
    assert (state, outcome, reasons[0]) == ("effective", "fail", "not_converged")


def test_a_person_who_grades_a_finding_up_makes_the_deliberation_fail(owner: User, project: Project) -> None:
    session = factories.deliberated(owner, project)
    judged(session, "standard")
    findings.regrade(Actor(owner), session, 1, "critical")
    gates.settle_due()
    assert (gate_of(session).outcome, gate_of(session).reasons) == ("fail", ("blocking_finding",))


def test_a_certification_that_misses_its_rule_fails(owner: User, project: Project) -> None:
    session = factories.certified(owner, project, "met", "not_met", "not_met")
    assert "not_certified" in judged(session)[2] or "veto" in judged(session)[2]


def test_a_certification_in_which_too_few_take_a_side_fails(owner: User, project: Project) -> None:
    session = factories.certified(owner, project, "met", "cannot_determine", "cannot_determine", rule="majority")
    assert judged(session) == ("effective", "fail", ("inconclusive", "low_confidence"))
    assert not session.events.filter(kind="certificate.issued").exists()


def test_a_certification_that_all_give_passes(owner: User, project: Project) -> None:
    session = factories.certified(owner, project, "met", "met", "met")
    found = evidence_of(session)
    assert found is not None
    assert (found.outcome, found.answered) == ("certified", ("A", "B", "C"))
    assert judged(session)[:2] == ("effective", "pass")


def test_a_gate_on_words_that_were_deleted_fails(owner: User, project: Project) -> None:
    session = factories.certified(owner, project, "met", "met", "met")
    assert judged(session)[1] == "pass"
    delete_artifact(Actor(owner), session.sources.get().version.artifact)
    gates.settle_due()
    assert gate_of(session).effective == "fail"
    assert gate_of(session).reasons == ("evidence_erased",)
