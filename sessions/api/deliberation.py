"""What a deliberation came to: its rounds, and the decision with its evidence, dissent and confidence."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest
from ninja import Router, Schema

from sessions import access
from sessions.api.auth import actor_of
from sessions.api.bodies import replies
from sessions.models import Session
from sessions.queries import seats_of, simulated_notice
from sessions.queries.deliberation import DeliberationView, deliberation_of
from sessions.reports.deliberation import decision_data, divergence_data, rounds_data, standing_data

router = Router()


class VersionOut(Schema):
    """The artifact version that holds the decision as a document; use its `code` as an input of another session."""

    code: UUID
    name: str
    version: int
    digest: str


class JudgedOut(Schema):
    """`status`: accepted (it holds), rejected (it does not), contested or undecided. `confidence` of key findings."""

    finding: str
    status: str
    key: bool
    confidence: str


class DecisionOut(Schema):
    """`outcome` converged, or why not (`reason`, `divergence`). `text` is the document in Markdown; what instances
    wrote is quoted in it and decides nothing. Shares are 0 to 1, null where there is none. `limited_by` says what
    keeps `confidence` down; `simulated_notice` must be shown when it is not empty."""

    outcome: str
    reason: str
    confidence: str
    limited_by: list[str]
    findings: list[JudgedOut]
    unassessed: list[str]
    late_notes: list[str]
    conformity: float | None
    ac1: float | None
    velocity: float | None
    independent_votes: float
    void_rounds: list[int]
    next_step: str
    summary: str
    open_questions: list[str]
    text: str
    artifact: VersionOut
    divergence: dict[str, Any] | None
    simulated: bool
    simulated_notice: str


class RoundsOut(Schema):
    """Published rounds, oldest first, and where everybody stands on each open finding after the last."""

    rounds: list[dict[str, Any]]
    standing: list[dict[str, Any]]


@router.get("/sessions/{uuid:code}/decision", response=replies(200, DecisionOut))
def get_decision(request: HttpRequest, code: UUID) -> dict[str, Any]:
    """404 while there is no decision, and for a session that makes none."""
    session, found = _deliberation(request, code)
    decision = decision_data(found)
    if decision is None:
        raise Http404
    notice = simulated_notice(seats_of(session))
    return {
        **decision,
        "divergence": divergence_data(found),
        "simulated": bool(notice),
        "simulated_notice": notice,
    }


@router.get("/sessions/{uuid:code}/rounds", response=replies(200, RoundsOut))
def get_rounds(request: HttpRequest, code: UUID) -> dict[str, Any]:
    """Of a deliberation, also while it runs. A round that is listed never changes."""
    _, found = _deliberation(request, code)
    return {"rounds": rounds_data(found), "standing": standing_data(found)}


def _deliberation(request: HttpRequest, code: UUID) -> tuple[Session, DeliberationView]:
    session = access.find_session(actor_of(request), code)
    found = deliberation_of(session)
    if found is None:
        raise Http404
    return session, found
