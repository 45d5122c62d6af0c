"""Saved rosters, also as YAML. Saving under a name that is there replaces its seats."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema, Status
from pydantic import Field

from sessions import access
from sessions.access import WRITE
from sessions.actions.rosters import drop_roster, save_roster, seats_of_roster
from sessions.api.auth import actor_of
from sessions.api.bodies import Body, Slug, replies
from sessions.catalog.best import best_seats, seat_states
from sessions.catalog.roster_yaml import MOST_CHARACTERS, from_yaml, to_yaml
from sessions.models import Roster
from sessions.seats import Seat

router = Router()


class NewRoster(Body):
    project: Slug
    name: str = Field(min_length=1, max_length=80)
    seats: list[Seat] = Field(max_length=50)


class RosterYaml(Body):
    project: Slug
    yaml: str = Field(max_length=MOST_CHARACTERS)


class BestOut(Schema):
    """`simulated`: no model of your own works, so demo models sit there."""

    seats: list[Seat]
    simulated: bool


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


@router.get("/rosters/best", response=replies(200, BestOut))
def best_roster(request: HttpRequest, project: Slug) -> dict[str, Any]:
    """Three seats from the models that work now, of different makers as far as there are."""
    found = access.find_project(actor_of(request), project)
    seats = best_seats(found)
    states = seat_states(found, seats)
    return {"seats": seats, "simulated": all(state.model and state.model.simulated for state in states)}


@router.post("/rosters/yaml", response=replies(201, RosterOut))
def create_roster_from_yaml(request: HttpRequest, body: RosterYaml) -> Status[Any]:
    project = access.find_project(actor_of(request), body.project, WRITE)
    return Status(201, _roster(save_roster(project, *from_yaml(body.yaml))))


@router.get("/rosters/{uuid:code}/yaml", response=replies(200, str))
def get_roster_as_yaml(request: HttpRequest, code: UUID) -> HttpResponse:
    found = access.find_roster(actor_of(request), code)
    text = to_yaml(found.name, seats_of_roster(found))
    return HttpResponse(text, content_type="application/yaml; charset=utf-8")


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
