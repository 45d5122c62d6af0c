"""Certification: what the answers of independent instances to the criteria of a standard amount to.

An instance alone says of every criterion whether it is met. Its verdict is derived from that; when it names another
one itself, the stricter counts. The session's verdict follows from the instances' by quorum, veto and rule.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sessions.engine.agreement import quorum

Said = Literal["met", "not_met", "not_applicable", "cannot_determine"]
Verdict = Literal["certify", "abstain", "refuse"]

ANSWERS: tuple[Said, ...] = ("met", "not_met", "not_applicable", "cannot_determine")
STRICTNESS: dict[Verdict, int] = {"certify": 0, "abstain": 1, "refuse": 2}
# By name, whether so many who certify are enough of so many who took a side.
RULES: dict[str, Callable[[int, int], bool]] = {
    "unanimous": lambda certify, decisive: certify == decisive,
    "supermajority": lambda certify, decisive: 3 * certify >= 2 * decisive,
    "majority": lambda certify, decisive: 2 * certify > decisive,
}


@dataclass(frozen=True, slots=True)
class Criterion:
    """`critical`: not met with verified evidence, it refuses for all. `guidance` helps to tell whether it is met."""

    id: str
    text: str
    mandatory: bool
    critical: bool
    guidance: str = ""


@dataclass(frozen=True, slots=True)
class Standard:
    """One version of a standard. `digest` is the SHA-256 of its criteria as they are stored."""

    key: str
    name: str
    version: int
    digest: str
    criteria: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an instance says of one criterion; `verified`: the quote it gives stands in the artifact."""

    criterion: str
    said: Said
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Attestation:
    """What one instance says. `own` is the verdict it names itself, empty when it names none. Who `read_in_part` may
    refuse but not certify."""

    letter: str
    family: str
    answers: tuple[Answer, ...]
    own: Verdict | Literal[""] = ""
    read_in_part: bool = False

    def derived(self, criteria: Sequence[Criterion]) -> Verdict:
        said = {answer.criterion: answer.said for answer in self.answers}
        mandatory = [said.get(criterion.id, "cannot_determine") for criterion in criteria if criterion.mandatory]
        if "not_met" in mandatory:
            return "refuse"
        return "abstain" if self.read_in_part or "cannot_determine" in mandatory else "certify"

    def verdict(self, criteria: Sequence[Criterion]) -> Verdict:
        """The stricter of its own and the derived one."""
        derived = self.derived(criteria)
        return max(derived, self.own or derived, key=STRICTNESS.__getitem__)

    def is_mismatched(self, criteria: Sequence[Criterion]) -> bool:
        return self.own not in ("", self.derived(criteria))


@dataclass(frozen=True, slots=True)
class Judgement:
    """The session's verdict: certified, not_certified or inconclusive. `reason` is empty only for a certificate
    without dissent. Letters are in order; `vetoes` are (criterion, letter)."""

    outcome: str
    reason: str
    confidence: str
    quorum: int
    certify: tuple[str, ...]
    refuse: tuple[str, ...]
    abstain: tuple[str, ...]
    vetoes: tuple[tuple[str, str], ...]


def judge(
    criteria: Sequence[Criterion],
    attestations: Sequence[Attestation],
    seated: int,
    *,
    rule: str = "unanimous",
    allow_single: bool = False,
) -> Judgement:
    """The verdict of `seated` instances of which those that answered attest. A single one decides nothing unless it is
    allowed to."""
    needed = 1 if allow_single and seated == 1 else quorum(seated)
    by = {
        verdict: tuple(one.letter for one in attestations if one.verdict(criteria) == verdict) for verdict in STRICTNESS
    }
    vetoes = tuple(_vetoes(criteria, attestations))
    certify, decisive = len(by["certify"]), len(by["certify"]) + len(by["refuse"])
    if decisive < needed:
        outcome, reason = "inconclusive", "single_certifier" if seated == 1 else "quorum_missed"
    elif vetoes:
        outcome, reason = "not_certified", "veto"
    elif RULES[rule](certify, decisive):
        outcome, reason = "certified", "with_dissent" if by["refuse"] else ""
    else:
        outcome, reason = "not_certified", "rule_missed"
    confidence = _confidence(criteria, attestations, certify, decisive) if decisive >= needed else "undetermined"
    return Judgement(outcome, reason, confidence, needed, by["certify"], by["refuse"], by["abstain"], vetoes)


def _vetoes(criteria: Sequence[Criterion], attestations: Iterable[Attestation]) -> Iterable[tuple[str, str]]:
    critical = {criterion.id for criterion in criteria if criterion.critical}
    for attestation in attestations:
        for answer in attestation.answers:
            if answer.criterion in critical and answer.said == "not_met" and answer.verified:
                yield answer.criterion, attestation.letter


def _confidence(criteria: Sequence[Criterion], attestations: Sequence[Attestation], certify: int, decisive: int) -> str:
    """deliberation.md 2.14, with the share of those who took the larger side as agreement."""
    deciding = [one for one in attestations if one.verdict(criteria) != "abstain"]
    agreement = max(certify, decisive - certify) / decisive
    if decisive < 2 or agreement < 0.75 or not _is_borne_out(criteria, deciding):
        return "low"
    families = {one.family for one in deciding}
    return "high" if agreement == 1 and decisive >= 3 and len(families) >= 2 else "medium"


def _is_borne_out(criteria: Sequence[Criterion], deciding: Sequence[Attestation]) -> bool:
    """Whether somebody proves each mandatory criterion with a verified quote, one way or the other, or all who took a
    side say that it does not apply."""
    for criterion in (criterion for criterion in criteria if criterion.mandatory):
        answers = [answer for one in deciding for answer in one.answers if answer.criterion == criterion.id]
        if not (any(answer.verified for answer in answers) or all(a.said == "not_applicable" for a in answers)):
            return False
    return True
