"""What gates make of evidence: the examples of the specification, and what may never pass."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.engine.findings import SEVERITIES
from sessions.engine.policy import (
    CHECKS,
    CONFIDENCES,
    FAIL,
    PASS,
    SHIPPED,
    Evidence,
    FindingEvidence,
    Policy,
    Verdict,
    digest,
    judge,
)

STANDARD, CI, STRICT = SHIPPED["standard"], SHIPPED["ci"], SHIPPED["strict"]


def finding(severity: str = "critical", **fields: Any) -> FindingEvidence:
    """One that two instances raised with a quote that stands in the artifact."""
    base = {"number": 1, "rated": severity, "lowest": severity, "highest": severity, "verified": True}
    return FindingEvidence(**{**base, "severity": severity, "raised_by": ("A", "B"), **fields})


def review(*findings: FindingEvidence, **fields: Any) -> Evidence:
    base = {"kind": "review", "outcome": "", "seats": 3, "answered": ("A", "B", "C")}
    return Evidence(**{**base, "findings": findings, **fields})


def deliberation(*findings: FindingEvidence, **fields: Any) -> Evidence:
    base = {"kind": "deliberation", "outcome": "converged", "confidence": "high"}
    return review(*findings, **{**base, **fields})


def codes(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


def human(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.needs_person]


# --- deliberation.md 2.12 and 2.16


def test_converged_with_one_accepted_critical_fails() -> None:
    verdict = judge(deliberation(finding("critical", status="accepted")), STANDARD)
    assert (verdict.outcome, codes(verdict)) == (FAIL, ["blocking_finding"])


def test_converged_with_a_major_as_the_worst_accepted_passes() -> None:
    verdict = judge(deliberation(finding("major", status="accepted")), STANDARD)
    assert (verdict.outcome, codes(verdict)) == (PASS, [])


def test_diverged_on_a_minor_only_fails_for_want_of_agreement() -> None:
    verdict = judge(deliberation(finding("minor", status="contested"), outcome="diverged"), STANDARD)
    assert (verdict.outcome, codes(verdict)) == (FAIL, ["not_converged"])


def test_certified_with_dissent_and_low_confidence_fails() -> None:
    verdict = judge(deliberation(kind="certification", outcome="certified", confidence="low"), STANDARD)
    assert (verdict.outcome, codes(verdict)) == (FAIL, ["low_confidence"])


def test_certified_with_confidence_passes() -> None:
    assert judge(deliberation(kind="certification", outcome="certified"), STANDARD).outcome == PASS


@pytest.mark.parametrize("status", ["contested", "undecided", "unassessed"])
def test_what_is_not_settled_at_the_blocking_severity_fails(status: str) -> None:
    verdict = judge(deliberation(finding("critical", status=status)), STANDARD)
    assert codes(verdict) == ["unsettled_finding"]


def test_agreement_to_reject_is_agreement() -> None:
    assert judge(deliberation(finding("blocker", status="rejected")), STANDARD) == Verdict(PASS)


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        ("diverged", "not_converged"),
        ("max_rounds", "not_converged"),
        ("stalled", "not_converged"),
        ("quorum_lost", "quorum_lost"),
        ("single_assessor", "single_assessor"),
        ("inconclusive", "inconclusive"),
        ("not_certified", "not_certified"),
        ("budget", "budget"),
        ("cancelled", "cancelled"),
        ("", "inconclusive"),
    ],
)
@pytest.mark.parametrize("kind", ["deliberation", "certification"])
def test_an_end_without_agreement_is_a_fail_with_its_reason(kind: str, outcome: str, code: str) -> None:
    verdict = judge(deliberation(kind=kind, outcome=outcome), STANDARD)
    assert (verdict.outcome, codes(verdict)) == (FAIL, [code])


def test_a_veto_fails_and_takes_two_people_to_pass() -> None:
    verdict = judge(deliberation(kind="certification", outcome="not_certified", vetoes=("C3",)), STANDARD)
    assert (codes(verdict), verdict.two_people) == (["veto"], True)


@pytest.mark.parametrize(("severity", "two"), [("blocker", True), ("critical", False)])
def test_a_blocker_takes_two_people_to_pass(severity: str, two: bool) -> None:
    assert judge(deliberation(finding(severity, status="accepted")), STANDARD).two_people is two


def test_the_median_decides_and_ratings_on_both_sides_of_the_line_ask_for_a_person() -> None:
    straddling = finding("major", lowest="minor", highest="critical", status="accepted")
    verdict = judge(deliberation(straddling), CI)
    assert (verdict.outcome, human(verdict)) == (PASS, ["severity_disputed"])


def test_ratings_on_one_side_of_the_line_ask_for_nobody() -> None:
    assert judge(deliberation(finding("major", lowest="info", status="accepted")), CI) == Verdict(PASS)


def test_a_grade_that_a_person_gave_is_no_dispute() -> None:
    graded = finding("blocker", rated="major", lowest="minor", highest="critical", status="accepted")
    assert human(judge(deliberation(graded), CI)) == []


def test_an_instance_of_a_deliberation_that_read_a_part_needs_a_person() -> None:
    assert human(judge(deliberation(read_in_part=("A",)), CI)) == ["read_in_part"]


# --- reviews


def test_a_clean_review_passes_and_needs_nobody() -> None:
    assert judge(review(finding("major")), CI) == Verdict(PASS)


def test_a_critical_finding_of_two_with_its_quote_fails() -> None:
    verdict = judge(review(finding()), STANDARD)
    assert (codes(verdict), verdict.reasons[0].findings) == (["blocking_finding"], (1,))


def test_a_critical_finding_of_one_needs_a_person() -> None:
    verdict = judge(review(finding(raised_by=("A",))), CI)
    assert (verdict.outcome, human(verdict)) == (PASS, ["raised_by_one"])


def test_a_second_opinion_that_confirms_makes_it_fail() -> None:
    assert codes(judge(review(finding(raised_by=("A",), confirmed=1)), CI)) == ["blocking_finding"]


def test_a_second_opinion_that_refutes_still_needs_a_person() -> None:
    assert human(judge(review(finding(raised_by=("A",), refuted=2)), CI)) == ["raised_by_one"]


def test_somebody_who_wants_it_fixed_stands_behind_it() -> None:
    assert codes(judge(review(finding(raised_by=("A",), disposition="to_fix")), CI)) == ["blocking_finding"]


def test_a_quote_that_is_not_there_blocks_nothing_and_needs_a_person() -> None:
    verdict = judge(review(finding(verified=False)), CI)
    assert (verdict.outcome, human(verdict)) == (PASS, ["quote_not_found"])


@pytest.mark.parametrize("disposition", ["dismissed", "fixed", "merged"])
def test_what_people_settled_passes_only_with_a_person(disposition: str) -> None:
    verdict = judge(review(finding(disposition=disposition)), CI)
    assert (verdict.outcome, human(verdict)) == (PASS, ["settled_by_people"])


def test_a_person_who_grades_it_down_does_not_let_it_pass_alone() -> None:
    assert human(judge(review(finding("minor", rated="critical", highest="critical")), CI)) == ["settled_by_people"]


@pytest.mark.parametrize(
    ("seats", "answered", "code"),
    [(3, "A", "quorum_lost"), (3, "AB", ""), (5, "ABC", "quorum_lost"), (5, "ABCD", ""), (1, "A", "quorum_lost")],
)
def test_the_quorum_has_to_answer(seats: int, answered: str, code: str) -> None:
    assert codes(judge(review(seats=seats, answered=tuple(answered)), STANDARD)) == [code] * bool(code)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"outcome": "single_assessor", "answered": ("A",)}, "single_assessor"),
        ({"read_in_part": ("B",)}, "read_in_part"),
        ({"outcome": "cap_reached"}, "cap_reached"),
        ({"outcome": "cancelled"}, "cancelled"),
        ({"erased": True}, "evidence_erased"),
    ],
)
def test_a_review_that_cannot_be_relied_on_fails_with_its_reason(fields: dict[str, Any], code: str) -> None:
    assert codes(judge(review(**fields), STANDARD)) == [code]


def test_an_answer_that_was_cut_off_needs_a_person() -> None:
    assert human(judge(review(cut_off=("B",)), CI)) == ["answer_cut_off"]


def test_the_strict_policy_blocks_majors_and_takes_two() -> None:
    verdict = judge(review(finding("major")), STRICT)
    assert (codes(verdict), verdict.two_people) == (["blocking_finding"], True)


# --- what holds whatever the evidence

severities = st.sampled_from(sorted(SEVERITIES))
findings = st.builds(
    FindingEvidence,
    number=st.integers(1, 9),
    severity=severities,
    rated=severities,
    lowest=severities,
    highest=severities,
    verified=st.booleans(),
    raised_by=st.sampled_from([("A",), ("A", "B")]),
    status=st.sampled_from(["", "accepted", "rejected", "contested", "undecided"]),
    disposition=st.sampled_from(["open", "to_fix", "dismissed", "fixed", "merged"]),
    confirmed=st.integers(0, 1),
)
evidences = st.builds(
    Evidence,
    kind=st.sampled_from(sorted(CHECKS)),
    outcome=st.sampled_from(["", "converged", "certified", "diverged", "quorum_lost", "single_assessor"]),
    seats=st.integers(1, 5),
    answered=st.sampled_from([(), ("A",), ("A", "B"), ("A", "B", "C", "D")]),
    findings=st.lists(findings, max_size=4, unique_by=lambda one: one.number).map(tuple),
    confidence=st.sampled_from(["", *sorted(CONFIDENCES)]),
)
policies = st.sampled_from([SHIPPED[key] for key in sorted(SHIPPED)])


@given(evidences, policies)
def test_a_verdict_is_a_pass_or_a_fail_with_reasons(evidence: Evidence, policy: Policy) -> None:
    verdict = judge(evidence, policy)
    assert (verdict.outcome == FAIL) == bool(verdict.reasons)


@given(evidences, policies, st.sampled_from(["info", "minor"]))
def test_what_the_digest_leaves_out_decides_nothing(evidence: Evidence, policy: Policy, severity: str) -> None:
    small = finding(severity, number=99, raised_by=("A",))
    more = replace(evidence, findings=(*evidence.findings, small))
    assert digest(more, policy) == digest(evidence, policy)
    assert judge(more, policy) == judge(evidence, policy)


@given(evidences, policies)
def test_the_order_of_findings_changes_nothing(evidence: Evidence, policy: Policy) -> None:
    turned = replace(evidence, findings=evidence.findings[::-1])
    assert (judge(turned, policy), digest(turned, policy)) == (judge(evidence, policy), digest(evidence, policy))


@given(evidences, policies)
def test_another_blocking_finding_never_turns_a_fail_into_a_pass(evidence: Evidence, policy: Policy) -> None:
    more = replace(evidence, findings=(*evidence.findings, finding("blocker", number=99)))
    assert judge(more, policy).outcome == FAIL


@given(evidences)
def test_no_policy_passes_without_an_agreement_or_a_quorum(evidence: Evidence) -> None:
    if judge(evidence, STANDARD).outcome == PASS:
        assert evidence.outcome in {"converged", "certified"} or len(evidence.answered) >= 2
