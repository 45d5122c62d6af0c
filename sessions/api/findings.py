"""What people decide about findings. A finding is named by its label, F-001."""

from collections.abc import Callable
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Path, Router, Schema, Status
from pydantic import Field, StringConstraints

from sessions import access
from sessions.access import WRITE, Actor
from sessions.actions import findings as actions
from sessions.actions.errors import Refused
from sessions.api.auth import actor_of
from sessions.api.bodies import Body, replies
from sessions.api.lifecycle import IdempotencyKey, StateOut, once_for
from sessions.api.once import once_only
from sessions.api.results import FindingOut
from sessions.models import Session
from sessions.queries.reworded import findings_now
from sessions.reports import export

router = Router()

Label = Annotated[str, StringConstraints(pattern=r"^[Ff]-[0-9]{1,9}$")]
Here = Annotated[Label, Path()]
Seen = Annotated[int | None, Field(ge=0, le=2**31)]


class Decision(Body):
    """`because` is needed for a dismissal. `seen` is the `revision` of the finding you looked at: when somebody was
    faster, you get 409 and nothing is overwritten."""

    status: Literal["open", "to_fix", "dismissed", "fixed"]
    because: Literal["", "wrong", "known", "not_now", "style"] = ""
    seen: Seen = None


class Grade(Body):
    severity: Literal["info", "minor", "major", "critical", "blocker"]
    seen: Seen = None


class Join(Body):
    into: Label
    seen: Seen = None


class Split(Body):
    """`reports` by id, such as `B-2`: they become a finding of their own."""

    reports: list[Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,2}-[0-9]{1,4}$")]] = Field(max_length=200)
    seen: Seen = None


class Comment(Body):
    text: str = Field(max_length=actions.MAX_COMMENT)


class Asking(Body):
    findings: list[Label] = Field(max_length=200)


class Commented(Schema):
    finding: str


@router.post("/sessions/{uuid:code}/findings/{label}/decide", response=replies(200, FindingOut))
def decide_finding(
    request: HttpRequest,
    response: HttpResponse,
    code: UUID,
    label: Here,
    body: Decision,
    idempotency_key: IdempotencyKey = "",
) -> dict[str, Any]:
    def act(actor: Actor, session: Session, number: int) -> int:
        return actions.decide(actor, session, number, body.status, body.because, seen=body.seen).number

    return _changed(request, response, code, label, act)


@router.post("/sessions/{uuid:code}/findings/{label}/regrade", response=replies(200, FindingOut))
def regrade_finding(
    request: HttpRequest,
    response: HttpResponse,
    code: UUID,
    label: Here,
    body: Grade,
    idempotency_key: IdempotencyKey = "",
) -> dict[str, Any]:
    def act(actor: Actor, session: Session, number: int) -> int:
        return actions.regrade(actor, session, number, body.severity, seen=body.seen).number

    return _changed(request, response, code, label, act)


@router.post("/sessions/{uuid:code}/findings/{label}/join", response=replies(200, FindingOut))
def join_findings(
    request: HttpRequest,
    response: HttpResponse,
    code: UUID,
    label: Here,
    body: Join,
    idempotency_key: IdempotencyKey = "",
) -> dict[str, Any]:
    """Put the finding into another. The other is the reply."""

    def act(actor: Actor, session: Session, number: int) -> int:
        return actions.join(actor, session, number, _number(body.into), seen=body.seen).number

    return _changed(request, response, code, label, act)


@router.post("/sessions/{uuid:code}/findings/{label}/split", response=replies(200, FindingOut))
def split_finding(
    request: HttpRequest,
    response: HttpResponse,
    code: UUID,
    label: Here,
    body: Split,
    idempotency_key: IdempotencyKey = "",
) -> dict[str, Any]:
    """Take reports out of the finding. The new finding is the reply."""

    def act(actor: Actor, session: Session, number: int) -> int:
        return actions.split(actor, session, number, body.reports, seen=body.seen).number

    return _changed(request, response, code, label, act)


@router.post("/sessions/{uuid:code}/findings/{label}/comments", response=replies(201, Commented))
def comment_on_finding(
    request: HttpRequest,
    response: HttpResponse,
    code: UUID,
    label: Here,
    body: Comment,
    idempotency_key: IdempotencyKey = "",
) -> Status[dict[str, Any]]:
    actor = actor_of(request)
    session = access.find_session(actor, code, WRITE)

    def act() -> int:
        actions.comment(actor, session, _number(label), body.text)
        return _number(label)

    return Status(201, {"finding": f"F-{once_only(request, response, actor, act):03d}"})


@router.post("/sessions/{uuid:code}/opinions", response=replies(200, StateOut))
def ask_for_opinions(
    request: HttpRequest, code: UUID, body: Asking, idempotency_key: IdempotencyKey = ""
) -> JsonResponse:
    """Ask the instances that did not raise these findings. The session is queued again; what was paid for is kept."""
    actor = actor_of(request)
    session = access.find_session(actor, code, WRITE)
    numbers = [_number(label) for label in body.findings]
    return once_for(request, actor, 200, lambda: actions.ask_opinions(actor, session, numbers))


def _number(label: str) -> int:
    return int(label[2:])


def _changed(
    request: HttpRequest, response: HttpResponse, code: UUID, label: str, act: Callable[[Actor, Session, int], int]
) -> dict[str, Any]:
    """The finding whose number `act` returns, as it is now."""
    actor = actor_of(request)
    session = access.find_session(actor, code, WRITE)
    return _shown(session, once_only(request, response, actor, lambda: act(actor, session, _number(label))))


def _shown(session: Session, number: int) -> dict[str, Any]:
    session.refresh_from_db()
    found = next((finding for finding in findings_now(session) if finding.number == number), None)
    if found is None:
        raise Refused("finding_unknown", f"There is no finding F-{number:03d} in this session.", 404)
    return export.finding_data(found)
