"""The worked examples of deliberation.md 2.11, and what follows from its rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.engine.agreement import quorum
from sessions.engine.certifying import ANSWERS, RULES, STRICTNESS, Answer, Attestation, Criterion, Judgement, judge

MANDATORY = Criterion("M", "It says who acts.", mandatory=True, critical=False)
CRITICAL = Criterion("C", "No secret stands in it.", mandatory=True, critical=True)
OPTIONAL = Criterion("O", "It has a picture.", mandatory=False, critical=False)
CRITERIA = (MANDATORY, CRITICAL, OPTIONAL)
VERDICTS = {"c": "met", "r": "not_met", "a": "cannot_determine"}


def attesting(letter: str, said: str = "met", **more: object) -> Attestation:
    """All criteria are met with a verified quote, but for the mandatory one, of which the instance says `said`."""
    answers = (Answer("M", said, verified=True), Answer("C", "met", verified=True), Answer("O", "met"))  # type: ignore[arg-type]
    return Attestation(letter, f"family {letter}", answers, **more)  # type: ignore[arg-type]


def judged(votes: str, rule: str = "unanimous", **more: bool) -> Judgement:
    """`votes`: c certifies, r refuses, a abstains, m is missing."""
    attestations = [
        attesting(letter, VERDICTS[vote]) for letter, vote in zip("ABCDE", votes, strict=False) if vote != "m"
    ]
    return judge(CRITERIA, attestations, len(votes), rule=rule, **more)


@pytest.mark.parametrize(
    ("votes", "rule", "outcome", "reason"),
    [
        ("cccca", "unanimous", "certified", ""),
        ("cccra", "unanimous", "not_certified", "rule_missed"),
        ("cccra", "supermajority", "certified", "with_dissent"),
        ("cccra", "majority", "certified", "with_dissent"),
        ("cccaa", "unanimous", "inconclusive", "quorum_missed"),
        ("cccmm", "majority", "inconclusive", "quorum_missed"),
        ("crrcm", "majority", "not_certified", "rule_missed"),
        ("ccr", "supermajority", "certified", "with_dissent"),
        ("c", "majority", "inconclusive", "single_certifier"),
    ],
)
def test_the_examples_of_the_specification_come_out(votes: str, rule: str, outcome: str, reason: str) -> None:
    found = judged(votes, rule)
    assert (found.outcome, found.reason) == (outcome, reason)


def test_three_of_four_who_took_a_side_certify_with_dissent() -> None:
    found = judged("cccra", "supermajority")
    assert (found.certify, found.refuse, found.abstain, found.quorum) == (("A", "B", "C"), ("D",), ("E",), 4)
    assert found.confidence == "medium"


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_proven_failure_of_a_critical_criterion_is_a_veto_under_every_rule(rule: str) -> None:
    failing = Attestation("E", "e", (Answer("M", "met"), Answer("C", "not_met", verified=True)))
    found = judge(CRITERIA, [*(attesting(letter) for letter in "ABCD"), failing], 5, rule=rule)
    assert (found.outcome, found.reason, found.vetoes) == ("not_certified", "veto", (("C", "E"),))


def test_a_failure_of_a_critical_criterion_that_nobody_can_prove_is_no_veto() -> None:
    failing = Attestation("E", "e", (Answer("M", "met"), Answer("C", "not_met")))
    found = judge(CRITERIA, [*(attesting(letter) for letter in "ABCD"), failing], 5, rule="supermajority")
    assert (found.outcome, found.reason, found.refuse) == ("certified", "with_dissent", ("E",))


@pytest.mark.parametrize(("vote", "outcome"), [("c", "certified"), ("r", "not_certified"), ("a", "inconclusive")])
def test_one_alone_decides_only_when_it_is_allowed_to_and_with_low_confidence(vote: str, outcome: str) -> None:
    found = judged(vote, allow_single=True)
    assert found.outcome == outcome
    assert found.confidence == ("undetermined" if outcome == "inconclusive" else "low")


def test_being_allowed_alone_changes_nothing_for_several() -> None:
    assert judged("caa", allow_single=True).outcome == "inconclusive"


@pytest.mark.parametrize(
    ("own", "said", "verdict", "mismatch"),
    [
        ("certify", "met", "certify", False),
        ("", "met", "certify", False),
        ("refuse", "met", "refuse", True),
        ("abstain", "met", "abstain", True),
        ("certify", "not_met", "refuse", True),
        ("certify", "cannot_determine", "abstain", True),
        ("refuse", "cannot_determine", "refuse", True),
    ],
)
def test_the_stricter_of_the_own_and_the_derived_verdict_counts(
    own: str, said: str, verdict: str, mismatch: bool
) -> None:
    one = attesting("A", said, own=own)
    assert (one.verdict(CRITERIA), one.is_mismatched(CRITERIA)) == (verdict, mismatch)


def test_a_mandatory_criterion_without_an_answer_makes_an_abstention() -> None:
    assert Attestation("A", "a", (Answer("C", "met"), Answer("O", "met"))).derived(CRITERIA) == "abstain"


def test_a_criterion_that_is_not_mandatory_does_not_decide() -> None:
    answers = (Answer("M", "met"), Answer("C", "not_applicable"), Answer("O", "not_met", verified=True))
    assert Attestation("A", "a", answers).derived(CRITERIA) == "certify"


@pytest.mark.parametrize(("said", "verdict"), [("met", "abstain"), ("not_met", "refuse")])
def test_who_read_only_a_part_may_refuse_but_not_certify(said: str, verdict: str) -> None:
    assert attesting("A", said, read_in_part=True).verdict(CRITERIA) == verdict


@pytest.mark.parametrize(
    ("votes", "families", "confidence"),
    [("ccc", "xyz", "high"), ("ccc", "xxx", "medium"), ("cca", "xyz", "medium"), ("ccr", "xyz", "low")],
)
def test_confidence_follows_from_agreement_number_and_families(votes: str, families: str, confidence: str) -> None:
    attestations = [
        Attestation(letter, family, attesting(letter, VERDICTS[vote]).answers)
        for letter, vote, family in zip("ABC", votes, families, strict=True)
    ]
    assert judge(CRITERIA, attestations, 3, rule="majority").confidence == confidence


def test_confidence_is_low_when_no_quote_proves_a_mandatory_criterion() -> None:
    unproven = [Attestation(letter, letter, (Answer("M", "met"), Answer("C", "met", True))) for letter in "ABC"]
    assert judge(CRITERIA, unproven, 3).confidence == "low"


@pytest.mark.parametrize(("seated", "needed"), [(1, 2), (2, 2), (3, 2), (4, 3), (5, 4), (6, 4), (7, 5)])
def test_the_quorum_is_two_thirds_and_at_least_two(seated: int, needed: int) -> None:
    assert quorum(seated) == needed


ANSWER = st.builds(Answer, st.sampled_from(["M", "C", "O"]), st.sampled_from(ANSWERS), st.booleans())
ATTESTATION = st.builds(
    Attestation,
    st.just("A"),
    st.sampled_from("xyz"),
    st.lists(ANSWER, max_size=3, unique_by=lambda answer: answer.criterion).map(tuple),
    st.sampled_from(["", *STRICTNESS]),
    st.booleans(),
)
ATTESTATIONS = st.lists(ATTESTATION, min_size=1, max_size=7)


@given(ATTESTATIONS, st.sampled_from(sorted(RULES)), st.randoms())
def test_the_order_of_instances_changes_nothing(attestations: list[Attestation], rule: str, chance: object) -> None:
    shuffled = list(attestations)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = (judge(CRITERIA, given, len(given), rule=rule) for given in (attestations, shuffled))
    assert (one.outcome, one.reason, one.confidence) == (other.outcome, other.reason, other.confidence)


@given(ATTESTATIONS, st.sampled_from(sorted(RULES)))
def test_one_more_who_refuses_never_certifies(attestations: list[Attestation], rule: str) -> None:
    seated = len(attestations) + 1
    before = judge(CRITERIA, attestations, seated, rule=rule)
    after = judge(CRITERIA, [*attestations, attesting("Z", "not_met")], seated, rule=rule)
    assert after.outcome != "certified" or before.outcome in ("certified", "inconclusive")


@given(ATTESTATIONS)
def test_who_is_unanimous_is_also_a_majority(attestations: list[Attestation]) -> None:
    outcomes = [
        judge(CRITERIA, attestations, len(attestations), rule=rule).outcome == "certified"
        for rule in ("unanimous", "supermajority", "majority")
    ]
    assert outcomes == sorted(outcomes)
