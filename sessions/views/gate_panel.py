"""What the page of a gate shows: the verdict with its reasons, the evidence, who stands against it, and what other
policies would say."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.text import get_text_list

from sessions.access import APPROVE, WRITE, Actor
from sessions.engine.agreement import RoundFigures
from sessions.engine.policy import FAIL, PASS, Policy
from sessions.gate_states import lifts_fail
from sessions.glossary import label
from sessions.models import Session, SessionSource
from sessions.queries import FoundFinding, findings_of, text_of
from sessions.queries.certification import CertificationView, CriterionRow, certification_of
from sessions.queries.deliberation import DeliberationView
from sessions.queries.evidence import Left, left_by
from sessions.queries.gates import (
    GateView,
    gate_and_proposals,
    gate_events,
    is_others,
    labelled_policies,
    starters_of,
    why_not_again,
)
from sessions.queries.reworded import reworded
from sessions.reports.gates import reason_words
from sessions.views.head import Head
from sessions.views.timeline import Entry, entries


@dataclass(frozen=True, slots=True)
class Line:
    """A reason of the verdict in words, and what its code means."""

    code: str
    words: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a policy makes of the session; `current` when it is the one that judged, else `barred` says as a code why
    nobody has it judged again by this one, empty when somebody may."""

    key: str
    name: str
    outcome: str
    lines: list[Line]
    current: bool
    barred: str


@dataclass(frozen=True, slots=True)
class Dissent:
    """What one instance says against the result, on `about`."""

    letter: str
    about: str
    words: str


def told_by(gate: GateView) -> list[dict[str, Any]]:
    """The reasons of the verdict, then why a person has to look."""
    return [*gate.verdict.get("reasons", ()), *gate.verdict.get("needs_person", ())]


def lines_of(gate: GateView) -> list[Line]:
    return [Line(reason["code"], reason_words(reason)) for reason in told_by(gate)]


@dataclass(frozen=True)
class Panel:
    """What the page shows; looked up when the template asks for it."""

    head: Head
    actor: Actor

    @property
    def session(self) -> Session:
        return self.head.session

    @cached_property
    def judged(self) -> tuple[GateView, dict[str, GateView]]:
        return gate_and_proposals(self.session, self.policies[0], self.deliberated, self.left)

    @cached_property
    def left(self) -> Left:
        return left_by(self.session, self.head.who, sum(seat.last_round is None for seat in self.head.seats))

    @property
    def gate(self) -> GateView:
        return self.judged[0]

    @property
    def may_decide(self) -> bool:
        return APPROVE in self.head.grants

    @property
    def may_ask(self) -> bool:
        return (APPROVE if self.gate.asked else WRITE) in self.head.grants

    @property
    def is_mine(self) -> bool:
        """Whether this person made the decision that is open."""
        return self.actor.user_id in self.gate.deciders

    @cached_property
    def is_starter(self) -> bool:
        return self.actor.user_id in starters_of(self.session)

    def _may(self, act: str) -> bool:
        return not (is_others(self.session.project, act) and self.is_starter)

    @property
    def may_approve(self) -> bool:
        lifts = self.gate.state == "pending" and lifts_fail(self.gate.effective, self.gate.outcome)
        return self._may("override" if lifts else "approve")

    @property
    def may_reject(self) -> bool:
        return self._may("reject")

    @property
    def may_override(self) -> bool:
        return self._may("override")

    @property
    def other_outcome(self) -> str:
        """What an override can be to."""
        return FAIL if self.gate.outcome == PASS else PASS

    @property
    def lines(self) -> list[Line]:
        return lines_of(self.gate)

    @cached_property
    def findings(self) -> list[FoundFinding]:
        return reworded(findings_of(self.session, self.left.rows), self.deliberated)

    @cached_property
    def evidence(self) -> list[tuple[FoundFinding, str]]:
        """The findings that the verdict speaks of, in the order of the page, and who stands behind each."""
        named = {number for reason in told_by(self.gate) for number in reason["findings"]}
        found = [finding for finding in self.findings if finding.number in named]
        return [(finding, _standing_behind(finding, self.deliberated)) for finding in found]

    @property
    def others(self) -> int:
        return len(self.findings) - len(self.evidence)

    @property
    def deliberated(self) -> DeliberationView | None:
        return self.head.deliberation

    @cached_property
    def certified(self) -> CertificationView | None:
        return certification_of(self.session)

    @cached_property
    def summary(self) -> str:
        """What an instance wrote as the synthesis, empty when none did."""
        decided = self.deliberated.decided if self.deliberated else None
        return decided.summary if decided else text_of(self.session.summary)

    @property
    def confidence(self) -> str:
        """How sure a deliberation or certification is; empty for a review."""
        if self.certified:
            return str(self.certified.verdict.get("confidence", ""))
        decided = self.deliberated.decided if self.deliberated else None
        return str(decided.data["confidence"]) if decided else ""

    @property
    def dissent(self) -> list[Dissent]:
        """Who stands against what the instances came to, in their own words."""
        if self.deliberated and self.deliberated.figures:
            return list(_dissent_on_findings(self.deliberated, self.deliberated.figures))
        return list(_refusals(self.certified)) if self.certified else []

    @property
    def unmet(self) -> list[CriterionRow]:
        """The criteria of a certification that an instance finds not met."""
        rows = self.certified.rows if self.certified else ()
        return [row for row in rows if any(answer.said == "not_met" for answer in row.answers)]

    @property
    def sources(self) -> list[SessionSource]:
        return [source for source in self.left.sources if not source.context]

    @cached_property
    def policies(self) -> tuple[dict[str, Policy], dict[str, str]]:
        return labelled_policies(self.session.project)

    @property
    def policy_names(self) -> dict[str, str]:
        return self.policies[1]

    @property
    def policy_name(self) -> str:
        return self.policy_names.get(self.gate.policy.key, self.gate.policy.key)

    @property
    def proposals(self) -> list[Proposal]:
        """What each policy makes of the same session."""
        gate = self.gate
        return [
            Proposal(
                key,
                self.policy_names[key],
                then.outcome,
                lines_of(then),
                current=then.policy == gate.policy,
                barred=why_not_again(gate, then),
            )
            for key, then in self.judged[1].items()
        ]

    @property
    def history(self) -> list[Entry]:
        return entries(gate_events(self.session), lambda: self.policy_names)


def _standing_behind(finding: FoundFinding, view: DeliberationView | None) -> str:
    """`raised by 2`, and of a deliberation who agrees in the end: `raised by A; A, B and C agree`."""
    if view is None or view.figures is None:
        return f"raised by {len(finding.raised_by)}"
    held = view.held_by.get(finding.number, {})
    agreeing = [letter for letter, position in sorted(held.items()) if position.kind in {"agree", "minor"}]
    raised, who = get_text_list([*finding.raised_by], "and"), get_text_list(agreeing, "and") or "nobody"
    return f"raised by {raised}; {who} {'agree' if len(agreeing) > 1 else 'agrees'}"


def _dissent_on_findings(view: DeliberationView, told: RoundFigures) -> Iterator[Dissent]:
    against = {"accepted": "disagree", "rejected": "agree"}
    for one in told.findings:
        for letter, position in sorted(view.held_by[one.number].items()):
            if one.is_key and position.kind in {against.get(one.status, "disagree"), "material"}:
                yield Dissent(letter, f"F-{one.number:03d}", position.rationale)


def _refusals(view: CertificationView) -> Iterator[Dissent]:
    against = "certify" if view.verdict.get("outcome") == "not_certified" else "refuse"
    for attestation in view.attestations:
        if attestation.verdict == against:
            yield Dissent(attestation.letter, label("instance_verdict", attestation.verdict), attestation.analysis)
