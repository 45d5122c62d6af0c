"""What a session would send where, cost and take: known before anything is asked."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from sessions import access
from sessions.access import WRITE
from sessions.actions.new_session import find_versions, params_for
from sessions.api.artifacts import SuspectOut
from sessions.api.auth import actor_of
from sessions.api.bodies import Body, Slug, replies
from sessions.api.lifecycle import chosen_seats
from sessions.queries.estimate import Host, Sent, estimate, start_line
from sessions.queries.suspects import secrecy, suspects_in
from sessions.seats import Seat

router = Router()


class EstimateBody(Body):
    """As for a new session: give `roster` or `roster_id`."""

    project: Slug
    kind: str = Field("review", max_length=40)
    brief: str = Field("", max_length=20_000)
    params: dict[str, Any] = {}
    roster: list[Seat] | None = Field(None, max_length=50)
    roster_id: UUID | None = None
    artifacts: list[UUID] = Field(min_length=1, max_length=50)
    context: list[UUID] = Field([], max_length=50)


class EstimateOut(Schema):
    """`hosts` receive the texts; of those, the ones with `likely_secrets` come first. Money is micro-credits, null when
    a model has no known price; `seconds` is the typical time; `start_line` says it all in a sentence."""

    start_line: str
    sent: list[Sent]
    likely_secrets: list[SuspectOut]
    hosts: list[Host]
    low_microcredits: int | None
    typical_microcredits: int | None
    high_microcredits: int | None
    models_without_price: list[str]
    charged: bool
    seconds: int
    notes: list[str]


@router.post("/estimates", response=replies(200, EstimateOut))
def estimate_session(request: HttpRequest, body: EstimateBody) -> dict[str, Any]:
    """Nothing is made, sent or paid. Refuses what could not be started."""
    project = access.find_project(actor_of(request), body.project, WRITE)
    versions, context = find_versions(project, body.artifacts), find_versions(project, body.context)
    found = estimate(
        project,
        chosen_seats(project, body.roster, body.roster_id),
        versions,
        params_for(project, body.kind, body.params),
        kind=body.kind,
        context=context,
        brief=body.brief,
    )
    read = [*versions, *context]
    sent = sorted(zip(read, found.sent, strict=True), key=lambda pair: secrecy(pair[0]))
    return {
        "start_line": start_line(found),
        "sent": [told for _, told in sent],
        "likely_secrets": [suspect._asdict() for suspect in suspects_in(read)],
        "hosts": found.hosts,
        "low_microcredits": found.low,
        "typical_microcredits": found.typical,
        "high_microcredits": found.high,
        "models_without_price": found.models_without_price,
        "charged": found.charged,
        "seconds": found.seconds,
        "notes": found.notes,
    }
