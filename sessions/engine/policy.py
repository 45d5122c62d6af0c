"""What a gate makes of evidence: pass or fail with reason codes, and whether a person has to look.

A policy computes; no model's word decides. Whatever a verdict depends on is in `relevant`, so two pieces of evidence
with one digest have one verdict, and what people saw when they decided can be compared with what stands there now.
Anything inconclusive is a fail with its reason.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace

from sessions.engine.agreement import quorum, straddles
from sessions.engine.findings import SEVERITIES

PASS, FAIL = "pass", "fail"
CONFIDENCES = {"undetermined": 0, "low": 1, "medium": 2, "high": 3}
AGREED = frozenset({"converged", "certified"})
RESOLVED = frozenset({"dismissed", "fixed", "merged"})
# Of an outcome that is no agreement, the reason to give; a veto is named by its own check.
NO_AGREEMENT = {"diverged": "not_converged", "max_rounds": "not_converged", "stalled": "not_converged"}


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of the rules of a gate. `automatic`: a clean pass and every fail take effect at once; otherwise
    somebody has to accept them. `two_people`: a pass needs two. `hours` is how long it waits for people."""

    key: str
    version: int
    block_severity: str = "critical"
    min_confidence: str = "medium"
    automatic: bool = False
    two_people: bool = False
    hours: int = 72

    def blocks(self, severity: str) -> bool:
        return SEVERITIES[severity] >= SEVERITIES[self.block_severity]


SHIPPED = {
    policy.key: policy
    for policy in (
        Policy("standard", 1),
        Policy("ci", 1, automatic=True),
        Policy("strict", 1, block_severity="major", min_confidence="high", two_people=True),
    )
}


@dataclass(frozen=True, slots=True)
class FindingEvidence:
    """`severity` counts, `rated` is the instances' median, `lowest` and `highest` their extremes. `status` is what the
    instances agreed on (accepted, rejected, contested, undecided, unassessed; empty where they took no positions),
    `disposition` what people did about it, merging included. `confirmed` and `refuted` count second opinions."""

    number: int
    severity: str
    rated: str
    lowest: str
    highest: str
    verified: bool
    raised_by: tuple[str, ...]
    status: str = ""
    disposition: str = "open"
    confirmed: int = 0
    refuted: int = 0

    @property
    def is_open(self) -> bool:
        return self.disposition not in RESOLVED and self.status != "rejected"

    @property
    def is_backed(self) -> bool:
        """Whether somebody beside its one raiser stands behind it: another instance, or a person who wants it fixed."""
        return len(self.raised_by) >= 2 or self.confirmed > 0 or self.disposition == "to_fix"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a session that has ended leaves to judge. `outcome` as the session has it; of a review that came to its end
    it is empty or `single_assessor`. `missing` maps letters to error codes. `result` is the digest of the summary or
    synthesis, `sources` those of the texts; `vetoes` names critical criteria that are not met. `confidence` is empty
    for a review. `erased`: words it rests on were deleted."""

    kind: str
    outcome: str
    seats: int
    answered: tuple[str, ...]
    missing: dict[str, str] = field(default_factory=dict)
    read_in_part: tuple[str, ...] = ()
    cut_off: tuple[str, ...] = ()
    findings: tuple[FindingEvidence, ...] = ()
    confidence: str = ""
    vetoes: tuple[str, ...] = ()
    result: str = ""
    sources: tuple[str, ...] = ()
    erased: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """`findings` are numbers, `letters` instances, that the code speaks of."""

    code: str
    findings: tuple[int, ...] = ()
    letters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """`needs_person` says why a policy that decides alone must not. `two_people`: a pass takes two of them."""

    outcome: str
    reasons: tuple[Reason, ...] = ()
    needs_person: tuple[Reason, ...] = ()
    two_people: bool = False


Check = Callable[[Evidence, Policy], Iterator[Reason]]


def relevant(evidence: Evidence, policy: Policy) -> Evidence:
    """The evidence without the findings that no rating puts at the blocking severity."""
    rated = [
        finding
        for finding in evidence.findings
        if any(policy.blocks(one) for one in (finding.severity, finding.rated, finding.highest))
    ]
    return replace(evidence, findings=tuple(sorted(rated, key=lambda finding: finding.number)))


def digest(evidence: Evidence, policy: Policy) -> str:
    """SHA-256 of everything that a verdict depends on, the policy included."""
    whole = {"evidence": asdict(relevant(evidence, policy)), "policy": asdict(policy)}
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def judge(evidence: Evidence, policy: Policy) -> Verdict:
    """The verdict of `policy`; a kind without rows of its own is judged like a deliberation."""
    seen = relevant(evidence, policy)
    checks = CHECKS.get(evidence.kind, CHECKS["deliberation"])
    reasons = tuple(reason for check in checks for reason in check(seen, policy))
    human = tuple(reason for check in PERSON_CHECKS for reason in check(seen, policy) if reason not in reasons)
    blocker = any(finding.is_open and finding.severity == "blocker" for finding in seen.findings)
    return Verdict(
        outcome=FAIL if reasons else PASS,
        reasons=reasons,
        needs_person=human,
        two_people=policy.two_people or bool(evidence.vetoes) or (bool(reasons) and blocker),
    )


def at_once(policy: Policy, outcome: str, *, needs_person: bool, failed: bool) -> bool:
    """Whether an outcome takes effect without people; `failed` while a fail is in effect, which only they end."""
    return policy.automatic and (outcome == FAIL or not (needs_person or failed))


# --- why it fails


def _words_gone(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    if evidence.erased:
        yield Reason("evidence_erased")


def _too_few_answered(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    if len(evidence.answered) <= 1 and evidence.outcome == "single_assessor":
        yield Reason("single_assessor")
    elif len(evidence.answered) < quorum(evidence.seats):
        yield Reason("quorum_lost", letters=tuple(sorted(evidence.missing)))


def _did_not_conclude(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    if evidence.outcome not in {"", "single_assessor"}:
        yield Reason(evidence.outcome)


def _read_in_part(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    if evidence.read_in_part:
        yield Reason("read_in_part", letters=evidence.read_in_part)


def _backed_blockers(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    backed = (one for one in _blocking(evidence, policy) if one.verified and one.is_backed)
    yield from _naming("blocking_finding", backed)


def _no_agreement(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    if evidence.vetoes:
        yield Reason("veto")
    elif evidence.outcome not in AGREED:
        yield Reason(NO_AGREEMENT.get(evidence.outcome, evidence.outcome or "inconclusive"))


def _accepted(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    yield from _naming("blocking_finding", (one for one in _blocking(evidence, policy) if one.status == "accepted"))


def _unsettled(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    yield from _naming("unsettled_finding", (one for one in _blocking(evidence, policy) if one.status != "accepted"))


def _low_confidence(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    if CONFIDENCES.get(evidence.confidence, 0) < CONFIDENCES[policy.min_confidence]:
        yield Reason("low_confidence")


# --- why a person has to look


def _raised_by_one(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    yield from _naming("raised_by_one", (one for one in _without_positions(evidence, policy) if not one.is_backed))


def _quote_not_found(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    loose = (one for one in _without_positions(evidence, policy) if one.is_backed and not one.verified)
    yield from _naming("quote_not_found", loose)


def _ratings_straddle(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    """Ratings lie on both sides of the blocking severity; the median counts (deliberation.md 2.16)."""
    straddling = (
        one
        for one in evidence.findings
        if one.is_open and one.severity == one.rated and straddles((one.lowest, one.highest), policy.block_severity)
    )
    yield from _naming("severity_disputed", straddling)


def _settled_by_people(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    """Members may work on findings; that lets nothing pass on its own."""
    blocked = (one for one in evidence.findings if policy.blocks(one.rated) and one.status != "rejected")
    yield from _naming(
        "settled_by_people", (one for one in blocked if one.disposition in RESOLVED or not policy.blocks(one.severity))
    )


def _cut_off(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    if evidence.cut_off:
        yield Reason("answer_cut_off", letters=evidence.cut_off)


CHECKS: dict[str, tuple[Check, ...]] = {
    "review": (_words_gone, _did_not_conclude, _too_few_answered, _read_in_part, _backed_blockers),
    "deliberation": (_words_gone, _no_agreement, _accepted, _unsettled, _low_confidence),
    "certification": (_words_gone, _no_agreement, _accepted, _unsettled, _low_confidence),
}
PERSON_CHECKS: tuple[Check, ...] = (
    _raised_by_one,
    _quote_not_found,
    _ratings_straddle,
    _settled_by_people,
    _read_in_part,
    _cut_off,
)


def _blocking(evidence: Evidence, policy: Policy) -> Iterator[FindingEvidence]:
    return (one for one in evidence.findings if one.is_open and policy.blocks(one.severity))


def _without_positions(evidence: Evidence, policy: Policy) -> Iterator[FindingEvidence]:
    return (one for one in _blocking(evidence, policy) if not one.status)


def _naming(code: str, findings: Iterable[FindingEvidence]) -> Iterator[Reason]:
    """One reason for all of them, none when there are none."""
    if numbers := tuple(finding.number for finding in findings):
        yield Reason(code, findings=numbers)
