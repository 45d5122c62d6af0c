"""Review templates: those that come along, and a project's own."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field

from sessions import access
from sessions.access import WRITE
from sessions.actions.templates import drop_template, find_template, rename_template, save_template, templates_of
from sessions.api.auth import actor_of
from sessions.api.bodies import Body, Slug, replies
from sessions.catalog.review_templates import REVIEW_TEMPLATES, ReviewTemplate
from sessions.models import SavedTemplate

router = Router()


class TemplateSeatOut(Schema):
    """`model_id` is empty where the seat takes whichever model there is."""

    name: str
    role: str
    model_id: str
    temperature: float | None
    focus: str


class TemplateOut(Schema):
    """Start with it: `POST /sessions` with `template` set to `key`. `own`: it was saved in this project."""

    key: str
    label: str
    sentence: str
    own: bool
    params: dict[str, Any]
    seats: list[TemplateSeatOut]


class TemplatesOut(Schema):
    templates: list[TemplateOut]


class NewTemplate(Body):
    """Made from a session that has ended."""

    session: UUID
    name: str = Field(min_length=1, max_length=80)


class TemplateName(Body):
    name: str = Field(min_length=1, max_length=80)


@router.get("/templates", response=replies(200, TemplatesOut))
def list_templates(request: HttpRequest, project: Slug) -> dict[str, Any]:
    """The project's own first."""
    found = access.find_project(actor_of(request), project)
    return {"templates": [_template(one) for one in templates_of(found)]}


@router.post("/templates", response=replies(201, TemplateOut))
def create_template(request: HttpRequest, body: NewTemplate) -> Status[Any]:
    actor = actor_of(request)
    saved = save_template(actor, access.find_session(actor, body.session, WRITE), body.name)
    return Status(201, _saved(saved))


@router.patch("/templates/{uuid:code}", response=replies(200, TemplateOut))
def change_template(request: HttpRequest, code: UUID, body: TemplateName) -> dict[str, Any]:
    saved = access.find_template(actor_of(request), code, WRITE)
    rename_template(saved, body.name)
    return _saved(saved)


@router.delete("/templates/{uuid:code}", response=replies(204, None))
def delete_template(request: HttpRequest, code: UUID) -> Status[Any]:
    """Sessions that were started from it keep their own copy."""
    drop_template(access.find_template(actor_of(request), code, WRITE))
    return Status(204, None)


def _saved(row: SavedTemplate) -> dict[str, Any]:
    return _template(find_template(row.project, str(row.code)))


def _template(template: ReviewTemplate) -> dict[str, Any]:
    return {
        "key": template.key,
        "label": template.label,
        "sentence": template.sentence,
        "own": template.key not in REVIEW_TEMPLATES,
        "params": template.params,
        "seats": template.seats,
    }
