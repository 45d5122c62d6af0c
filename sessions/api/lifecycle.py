"""Sessions: create, look, wait, start, stop, retry, continue, delete."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import transaction
from django.http import Http404, HttpRequest, JsonResponse
from ninja import Header, Router, Schema, Status
from pydantic import Field

from sessions import access
from sessions.access import MANAGE, WRITE, Actor
from sessions.actions import lifecycle, new_session
from sessions.actions.errors import Refused
from sessions.actions.gates import judge_session
from sessions.actions.idempotency import Answer, Post, once
from sessions.actions.purge import delete_session as erase_session
from sessions.actions.rosters import seats_of_roster
from sessions.actions.settling import settle
from sessions.actions.templates import find_template, seats_of_template
from sessions.api.auth import actor_of
from sessions.api.bodies import Body, Limit, Microcredits, Offset, Slug, replies
from sessions.api.waiting import until_at_rest
from sessions.caps import uncounted_models
from sessions.catalog.review_templates import ReviewTemplate
from sessions.engine.errors import explain
from sessions.models import Project, Session
from sessions.queries import (
    ListedSession,
    SeatView,
    WhoAnswered,
    seats_of,
    sessions_of,
    simulated_notice,
    text_of,
    who_answered,
)
from sessions.reports.export import forked_from, sources_data, unpriced
from sessions.seats import Seat
from sessions.specs import gated
from sessions.states import AT_REST

router = Router()

PolicyKey = Annotated[str, Field(max_length=40)]
Move = Callable[[Actor, Session], Session]
IdempotencyKey = Annotated[str, Header(alias="Idempotency-Key")]


class NewSessionBody(Body):
    """Give `roster`, `roster_id`, or a `template` (`GET /templates`): its seats take the models of the roster in turn,
    without one the best that work, and its parameters stand behind `params`. `artifacts` are judged, `context` ones
    only read. At the soft cap the session waits for a person, at the hard cap it ends; both are micro-credits
    (1,000,000,000 are one US dollar). `previous` is a review of an earlier version: its findings are compared. `gate`
    is the key of a policy that judges the result. Unless `fresh`, the recorded answers of a completed session with the
    same input are taken when it starts, at no cost."""

    project: Slug
    kind: str = Field(max_length=40)
    title: str = Field("", max_length=160)
    brief: str = Field("", max_length=20_000)
    params: dict[str, Any] = {}
    roster: list[Seat] | None = Field(None, max_length=50)
    roster_id: UUID | None = None
    template: str | None = Field(None, max_length=80)
    artifacts: list[UUID] = Field(max_length=50)
    context: list[UUID] = Field([], max_length=50)
    soft_cap_microcredits: Microcredits | None = None
    hard_cap_microcredits: Microcredits | None = None
    previous: UUID | None = None
    gate: PolicyKey = ""
    start: bool = False
    fresh: bool = False


class SettleBody(Body):
    """`findings` are numbers; without them those whose severity is disputed, that one instance alone raised, or that
    are open at or above the blocking severity. `params` are a deliberation's. `gate` is the key of a policy
    that judges the result. Unless `start` is false it starts."""

    findings: list[int] | None = Field(None, max_length=1_000)
    params: dict[str, Any] = {}
    gate: PolicyKey = ""
    start: bool = True


class StateOut(Schema):
    """`outcome` is what the work came to, `reason` why it ended as it did; both may be empty."""

    code: UUID
    status: str
    outcome: str
    reason: str


class SessionRow(StateOut):
    kind: str
    title: str
    waiting_for: str
    findings: int
    seats: int
    cost_microcredits: int
    price_unknown: bool
    created_at: datetime
    finished_at: datetime | None


class SessionsOut(Schema):
    sessions: list[SessionRow]


class SourceOut(Schema):
    """A version of an artifact that the session reads; `context` ones are not judged."""

    code: UUID
    name: str
    kind: str
    version: int
    digest: str
    context: bool


class SessionOut(StateOut):
    """`problem` says in words why a session failed and what to do next. `price_unknown_for` names models whose cost
    is not in `cost_microcredits`, `caps_leave_out` those whose cost the caps do not count: servers of your own without
    a price. A fork takes the first `fork_round` rounds of the session `forked_from`, 0 where there are none. `next` is
    the number of the last event."""

    project: str
    kind: str
    title: str
    brief: str
    params: dict[str, Any]
    waiting_for: str
    problem: str
    engine: str
    who_answered: WhoAnswered
    instances: list[SeatView]
    artifacts: list[SourceOut]
    simulated: bool
    simulated_notice: str
    cost_microcredits: int
    price_unknown_for: list[str]
    soft_cap_microcredits: int | None
    hard_cap_microcredits: int | None
    caps_leave_out: list[str]
    forked_from: UUID | None
    fork_round: int | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    next: int


@router.get("/sessions", response=replies(200, SessionsOut))
def list_sessions(request: HttpRequest, project: Slug, limit: Limit = 100, offset: Offset = 0) -> dict[str, Any]:
    """Of one project, newest first."""
    found = access.find_project(actor_of(request), project)
    return {"sessions": [_row(row) for row in sessions_of(found, limit=limit, offset=offset)]}


@router.post("/sessions", response=replies(201, StateOut))
def create_session(request: HttpRequest, body: NewSessionBody, idempotency_key: IdempotencyKey = "") -> JsonResponse:
    """A draft, or with `start` a session that is under way."""
    actor = actor_of(request)
    project = access.find_project(actor, body.project, WRITE)

    @transaction.atomic
    def create() -> Session:
        session = _for_gate(actor, new_session.create_session(actor, project, _new(project, body)), body.gate)
        return lifecycle.start_session(actor, session, fresh=body.fresh) if body.start else session

    return once_for(request, actor, 201, create)


@router.get("/sessions/{uuid:code}", response=replies(200, SessionOut))
async def get_session(request: HttpRequest, code: UUID, wait: int = 0) -> dict[str, Any]:
    """With `wait`: when the session is at rest, or after that many seconds, at most 60."""
    session = await sync_to_async(access.find_session)(actor_of(request), code)
    if wait > 0 and session.status not in AT_REST:
        await until_at_rest(code, min(wait, 60))
    return await sync_to_async(_document)(actor_of(request), code)


@router.post("/sessions/{uuid:code}/start", response=replies(200, StateOut))
def start_session(
    request: HttpRequest, code: UUID, fresh: bool = False, idempotency_key: IdempotencyKey = ""
) -> JsonResponse:
    """Unless `fresh`, the recorded answers of a completed session with the same input are taken, at no cost."""
    return _move(request, code, partial(lifecycle.start_session, fresh=fresh))


@router.post("/sessions/{uuid:code}/stop", response=replies(200, StateOut))
def stop_session(request: HttpRequest, code: UUID, idempotency_key: IdempotencyKey = "") -> JsonResponse:
    """What was answered is kept; calls in flight are given up and not charged."""
    return _move(request, code, lifecycle.stop_session)


@router.post("/sessions/{uuid:code}/retry", response=replies(200, StateOut))
def retry_session(request: HttpRequest, code: UUID, idempotency_key: IdempotencyKey = "") -> JsonResponse:
    """Asks only what has no answer yet; what was paid for is kept."""
    return _move(request, code, lifecycle.retry_session)


@router.post("/sessions/{uuid:code}/continue", response=replies(200, StateOut))
def continue_session(request: HttpRequest, code: UUID, idempotency_key: IdempotencyKey = "") -> JsonResponse:
    """Lets a session that waits at its soft cap go on; the hard cap stays."""
    return _move(request, code, lifecycle.continue_session)


@router.post("/sessions/{uuid:code}/settle", response=replies(201, StateOut))
def settle_session(
    request: HttpRequest, code: UUID, body: SettleBody, idempotency_key: IdempotencyKey = ""
) -> JsonResponse:
    """A finished review goes on as a deliberation, the answer: its first round is the review, which is not paid again.
    Only the chosen findings are asked about."""
    actor = actor_of(request)
    review = access.find_session(actor, code, WRITE)

    @transaction.atomic
    def make() -> Session:
        params = gated("deliberation", body.params, body.gate)
        session = _for_gate(actor, settle(actor, review, body.findings, params), body.gate)
        return lifecycle.start_session(actor, session) if body.start else session

    return once_for(request, actor, 201, make)


@router.delete("/sessions/{uuid:code}", response=replies(204, None))
def delete_session(request: HttpRequest, code: UUID) -> Status[Any]:
    """Erases every word of the session; its numbers stay."""
    actor = actor_of(request)
    erase_session(actor, access.find_session(actor, code, MANAGE))
    return Status(204, None)


def _move(request: HttpRequest, code: UUID, move: Move) -> JsonResponse:
    actor = actor_of(request)
    session = access.find_session(actor, code, WRITE)
    return once_for(request, actor, 200, lambda: move(actor, session))


def once_for(request: HttpRequest, actor: Actor, status: int, act: Callable[[], Session]) -> JsonResponse:
    post = Post(actor.user_id, request.path, request.headers.get("Idempotency-Key", ""), request.body)
    answer = once(post, lambda: Answer(status, _state(act())))
    headers = {"Idempotency-Replayed": "true"} if answer.replayed else {}
    return JsonResponse(answer.reply, status=answer.status, headers=headers)


def _for_gate(actor: Actor, session: Session, policy: str) -> Session:
    if policy:
        judge_session(actor, session, policy)
    return session


def _state(session: Session) -> dict[str, Any]:
    return {
        "code": str(session.code),
        "status": session.status,
        "outcome": session.outcome,
        "reason": session.reason,
    }


def _new(project: Project, body: NewSessionBody) -> new_session.NewSession:
    template = find_template(project, body.template) if body.template is not None else None
    return new_session.NewSession(
        kind=body.kind,
        seats=chosen_seats(project, body.roster, body.roster_id, template),
        versions=new_session.find_versions(project, body.artifacts),
        context=new_session.find_versions(project, body.context),
        title=body.title,
        brief=body.brief,
        params=gated(body.kind, (template.params if template else {}) | body.params, body.gate),
        soft_cap=body.soft_cap_microcredits,
        hard_cap=body.hard_cap_microcredits,
        previous=body.previous,
    )


def chosen_seats(
    project: Project, roster: list[Seat] | None, roster_id: UUID | None, template: ReviewTemplate | None = None
) -> list[Seat]:
    """Those given, or those of a saved roster; of a template on their models, or on the best there are without a
    roster. Raises Refused, Http404."""
    if template:
        given = roster is not None or roster_id is not None
        models = [seat.model_id for seat in chosen_seats(project, roster, roster_id)] if given else []
        return seats_of_template(template, project, models)
    if (roster is None) == (roster_id is None):
        raise Refused("bad_roster", "Give `roster` or `roster_id`, not both, or a `template`.")
    if roster is not None:
        return roster
    saved = project.rosters.filter(code=str(roster_id)).first()
    if saved is None:
        raise Http404
    return seats_of_roster(saved)


def _row(listed: ListedSession) -> dict[str, Any]:
    session = listed.session
    return {
        **_state(session),
        "kind": session.kind,
        "title": session.title,
        "waiting_for": session.waiting_for,
        "findings": listed.findings,
        "seats": listed.seats,
        "cost_microcredits": session.cost_microcredits,
        "price_unknown": session.price_unknown,
        "created_at": session.created_at,
        "finished_at": session.finished_at,
    }


def _document(actor: Actor, code: UUID) -> dict[str, Any]:
    session = access.find_session(actor, code)
    seats = seats_of(session)
    notice = simulated_notice(seats)
    return {
        **_state(session),
        "project": session.project.slug,
        "kind": session.kind,
        "title": session.title,
        "brief": text_of(session.brief),
        "params": session.params,
        "waiting_for": session.waiting_for,
        "problem": explain(session.reason) if session.status == "failed" else "",
        "engine": session.engine,
        "who_answered": who_answered(session),
        "instances": seats,
        "artifacts": sources_data(session),
        "simulated": bool(notice),
        "simulated_notice": notice,
        "cost_microcredits": session.cost_microcredits,
        "price_unknown_for": unpriced(session),
        "soft_cap_microcredits": session.soft_cap_microcredits,
        "hard_cap_microcredits": session.hard_cap_microcredits,
        "caps_leave_out": uncounted_models(session),
        "forked_from": forked_from(session),
        "fork_round": session.fork_round,
        "created_at": session.created_at,
        "started_at": session.started_at,
        "finished_at": session.finished_at,
        "next": session.next_seq - 1,
    }
