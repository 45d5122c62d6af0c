"""A finished session goes on from one of its rounds, otherwise."""

from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from ninja import Router
from pydantic import Field

from sessions import access
from sessions.access import WRITE
from sessions.actions.forking import Changes, fork
from sessions.actions.lifecycle import start_session
from sessions.actions.new_session import find_versions
from sessions.api.auth import actor_of
from sessions.api.bodies import Body, replies
from sessions.api.lifecycle import IdempotencyKey, StateOut, once_for
from sessions.models import Session
from sessions.seats import Seat

router = Router()


class ForkBody(Body):
    """`round` is the last one that stays as it was, null the last there is. `seats` take part from there on: one that
    is as it was is the same instance, any other a new one; null: nobody changes. `context` artifacts are read in
    addition. `max_rounds` is how many there may be in all, null: as before, or one more if need be. Unless `start` is
    false it starts."""

    round: int | None = Field(None, ge=0, le=1_000)
    seats: list[Seat] | None = Field(None, max_length=50)
    context: list[UUID] = Field([], max_length=50)
    max_rounds: int | None = Field(None, ge=1, le=1_000)
    start: bool = True


@router.post("/sessions/{uuid:code}/fork", response=replies(201, StateOut))
def fork_session(
    request: HttpRequest, code: UUID, body: ForkBody, idempotency_key: IdempotencyKey = ""
) -> JsonResponse:
    """Another session, the answer, takes the rounds of a completed one up to `round` as they were and goes on with
    other instances or with more to read. Only what differs is asked and paid."""
    actor = actor_of(request)
    recorded = access.find_session(actor, code, WRITE)

    @transaction.atomic
    def make() -> Session:
        changes = Changes(body.seats, find_versions(recorded.project, body.context), body.max_rounds)
        session = fork(actor, recorded, body.round, changes)
        return start_session(actor, session) if body.start else session

    return once_for(request, actor, 201, make)
