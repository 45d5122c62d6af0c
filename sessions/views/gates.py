"""The gate of a session: what the policy says and on what evidence, and the box in which people decide. Opening the
page decides nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.text import get_text_list

from sessions import access
from sessions.access import APPROVE, WRITE, Actor
from sessions.actions import gates
from sessions.actions.errors import Refused
from sessions.engine.agreement import RoundFigures
from sessions.engine.policy import FAIL, PASS, Policy
from sessions.glossary import label
from sessions.models import Gate, Session, SessionSource
from sessions.queries import FoundFinding, findings_of, simulated_notice, text_of
from sessions.queries.certification import CertificationView, CriterionRow, certification_of
from sessions.queries.deliberation import DeliberationView, deliberation_of
from sessions.queries.evidence import Left, left_by
from sessions.queries.gates import GateView, gate_and_proposals, gate_events, labelled_policies, starters_of
from sessions.queries.reworded import reworded
from sessions.reports.gates import reason_words
from sessions.reports.verdict_words import who_sentence
from sessions.views.base import page, render
from sessions.views.timeline import Entry, entries

# What stays in the form when it is refused: by the template's name, the field's.
TYPED = {"why": "reason", "to": "to", "hours": "hours"}
HOURS = (("", "for good"), ("24", "for a day"), ("168", "for a week"), ("720", "for 30 days"))


@dataclass(frozen=True, slots=True)
class Line:
    """A reason of the verdict in words, and what its code means."""

    code: str
    words: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a policy makes of the session; `current` when it is the one that judged."""

    key: str
    name: str
    outcome: str
    lines: list[Line]
    current: bool


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

    session: Session
    actor: Actor
    grants: frozenset[str]

    @cached_property
    def judged(self) -> tuple[GateView, dict[str, GateView]]:
        return gate_and_proposals(self.session, self.policies[0], self.deliberated, self.left)

    @cached_property
    def left(self) -> Left:
        return left_by(self.session)

    @property
    def gate(self) -> GateView:
        return self.judged[0]

    @property
    def may_decide(self) -> bool:
        return APPROVE in self.grants

    @property
    def may_ask(self) -> bool:
        return (APPROVE if self.gate.asked else WRITE) in self.grants

    @property
    def is_mine(self) -> bool:
        """Whether this person made the decision that is open."""
        return self.actor.user_id in self.gate.deciders

    @cached_property
    def is_starter(self) -> bool:
        return self.actor.user_id in starters_of(self.session)

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

    @cached_property
    def deliberated(self) -> DeliberationView | None:
        return deliberation_of(self.session)

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

    @cached_property
    def who(self) -> str:
        return who_sentence(self.left.who, self.deliberated)

    @cached_property
    def simulated(self) -> str:
        return simulated_notice(self.left.seats)

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
        return [
            Proposal(key, self.policy_names[key], gate.outcome, lines_of(gate), gate.policy == self.gate.policy)
            for key, gate in self.judged[1].items()
        ]

    @property
    def history(self) -> list[Entry]:
        return entries(gate_events(self.session))


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


Act = Callable[[Actor, Session, QueryDict], Gate]


def _approve(actor: Actor, session: Session, said: QueryDict) -> Gate:
    return gates.approve(actor, session, said.get("shown", ""))


def _reject(actor: Actor, session: Session, said: QueryDict) -> Gate:
    return gates.reject(actor, session, said.get("shown", ""), said.get("reason", ""))


def _override(actor: Actor, session: Session, said: QueryDict) -> Gate:
    hours = said.get("hours", "")
    span = int(hours) if hours.isascii() and hours.isdigit() and len(hours) < 6 else None
    return gates.override(actor, session, said.get("shown", ""), said.get("to", ""), said.get("reason", ""), span)


def _undo(actor: Actor, session: Session, said: QueryDict) -> Gate:
    return gates.undo(actor, session, said.get("shown", ""))


# last word of the address -> what it does and what is said then
ACTS: dict[str, tuple[Act, str]] = {
    "approve": (_approve, "Approved."),
    "reject": (_reject, "Rejected."),
    "override": (_override, "Overridden."),
    "undo": (_undo, "Taken back."),
}


@page("GET")
def panel(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponse:
    return _page(request, actor, code)


@page("POST")
def judge(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponseBase:
    """Ask for the gate, or have it judged by another policy."""
    session = access.find_session(actor, code, WRITE)
    try:
        gates.judge_session(actor, session, request.POST.get("policy", ""))
    except Refused as refused:
        return _page(request, actor, code, refused)
    return redirect("sessions:gate", code)


def _overrides(request: HttpRequest) -> bool:
    return request.path.endswith("/override/")


@page("POST")
@reauthentication_required(enabled=_overrides)  # type: ignore[untyped-decorator]
def decide(request: HttpRequest, actor: Actor, code: UUID, act: str) -> HttpResponseBase:
    """Whoever overrides and has a password or a passkey proves it once more; then it goes on with what was typed.
    Whoever was second sees the gate as it is now, and who was first."""
    session = access.find_session(actor, code, APPROVE)
    if act not in ACTS:
        raise Http404
    action, words = ACTS[act]
    try:
        action(actor, session, request.POST)
    except Refused as refused:
        return _page(request, actor, code, refused)
    messages.success(request, words)
    return redirect("sessions:gate", code)


def _page(request: HttpRequest, actor: Actor, code: UUID, refusal: Refused | None = None) -> HttpResponse:
    """As it is now, whatever was known of it before."""
    session, grants = access.open_session(actor, code)
    context = box_context(actor, session, grants) | {
        "project": session.project,
        "may": grants,
        "seq": session.next_seq - 1,
        "typed": {name: request.POST.get(said, "") for name, said in TYPED.items()},
        "refusal": refusal,
        "tab": "sessions",
    }
    return render(request, "sessions/gate.html", context, status=refusal.status if refusal else 200)


def box_context(actor: Actor, session: Session, grants: frozenset[str]) -> dict[str, Any]:
    """What the parts of the page are made of."""
    return {
        "panel": Panel(session, actor, grants),
        "hours": HOURS,
        "fewest": gates.FEWEST_CHARACTERS,
        "most": gates.MOST_CHARACTERS,
    }
