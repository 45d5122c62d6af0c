"""Saved rosters. Saving under a name that is there replaces its seats."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field

from sessions import access
from sessions.access import WRITE
from sessions.actions.rosters import drop_roster, save_roster
from sessions.api.auth import actor_of
from sessions.api.bodies import Body, Slug, replies
from sessions.models import Roster
from sessions.seats import Seat

router = Router()


class NewRoster(Body):
    project: Slug
    name: str = Field(min_length=1, max_length=80)
    seats: list[Seat] = Field(max_length=50)


class RosterOut(Schema):
    code: UUID
    project: str
    name: str
    seats: list[Seat]
    created_at: datetime


class RostersOut(Schema):
    rosters: list[RosterOut]


@router.get("/rosters", response=replies(200, RostersOut))
def list_rosters(request: HttpRequest, project: Slug) -> dict[str, Any]:
    found = access.find_project(actor_of(request), project)
    return {"rosters": [_roster(row) for row in found.rosters.select_related("project")]}


@router.post("/rosters", response=replies(201, RosterOut))
def create_roster(request: HttpRequest, body: NewRoster) -> Status[Any]:
    project = access.find_project(actor_of(request), body.project, WRITE)
    return Status(201, _roster(save_roster(project, body.name, body.seats)))


@router.get("/rosters/{uuid:code}", response=replies(200, RosterOut))
def get_roster(request: HttpRequest, code: UUID) -> dict[str, Any]:
    return _roster(access.find_roster(actor_of(request), code))


@router.delete("/rosters/{uuid:code}", response=replies(204, None))
def delete_roster(request: HttpRequest, code: UUID) -> Status[Any]:
    drop_roster(access.find_roster(actor_of(request), code, WRITE))
    return Status(204, None)


def _roster(row: Roster) -> dict[str, Any]:
    return {
        "code": row.code,
        "project": row.project.slug,
        "name": row.name,
        "seats": row.seats,
        "created_at": row.created_at,
    }
