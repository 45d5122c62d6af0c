"""The projects the actor belongs to. A key sees the one it was made for."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema

from sessions import access
from sessions.access import Actor
from sessions.api.auth import actor_of
from sessions.api.bodies import replies
from sessions.models import Project

router = Router()


class ProjectOut(Schema):
    """`grants` are what the actor may do here: read, write, manage, own."""

    slug: str
    name: str
    is_demo: bool
    created_at: datetime
    grants: list[str]


class ProjectsOut(Schema):
    projects: list[ProjectOut]


@router.get("/projects", response=replies(200, ProjectsOut))
def list_projects(request: HttpRequest) -> dict[str, Any]:
    actor = actor_of(request)
    rows = access.memberships(actor).select_related("project").order_by("project__name")
    return {"projects": [_project(row.project, actor.grants(row.role)) for row in rows]}


@router.get("/projects/{slug:slug}", response=replies(200, ProjectOut))
def get_project(request: HttpRequest, slug: str) -> dict[str, Any]:
    actor: Actor = actor_of(request)
    project = access.find_project(actor, slug)
    return _project(project, access.grants_in(actor, project))


def _project(project: Project, grants: frozenset[str]) -> dict[str, Any]:
    return {
        "slug": project.slug,
        "name": project.name,
        "is_demo": project.is_demo,
        "created_at": project.created_at,
        "grants": sorted(grants),
    }
