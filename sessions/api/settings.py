"""A project's settings, invitations and exports: what its pages do, for programs."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from ninja import Router, Schema, Status
from pydantic import Field

from sessions import access
from sessions.access import MANAGE, OWN
from sessions.actions import expiry, invitations, projects
from sessions.actions.gate_policies import set_separate_approver
from sessions.api.auth import actor_of
from sessions.api.bodies import Body, replies
from sessions.models import Invitation, Project, ProjectExport
from sessions.reports import project_export

router = Router()

INVITATIONS_LISTED = 500
ProviderName = Annotated[str, Field(max_length=60)]


class SettingsOut(Schema):
    """`allowed_providers`: none means all. `separate_approver` says when somebody else than the starter of a session
    has to decide on its gate: none (never), override, always. `retention_days`: null means that everything stays."""

    name: str
    allowed_providers: list[str]
    local_only: bool
    separate_approver: str
    retention_days: int | None


class SettingsBody(Body):
    """What is not given stays. Retention is an owner's to set, the rest a moderator's too."""

    name: str | None = Field(None, max_length=120)
    allowed_providers: list[ProviderName] | None = Field(None, max_length=200)
    local_only: bool | None = None
    separate_approver: Literal["none", "override", "always"] | None = None
    retention_days: int | None = None


class InvitationBody(Body):
    """With `email` only that person may use the link. `days` is 1, 7 or 30."""

    role: str = Field("member", max_length=12)
    email: str = Field("", max_length=254)
    days: int = 7


class InvitationOut(Schema):
    """`state` is open, used, revoked or expired."""

    code: UUID
    role: str
    email: str
    state: str
    created_at: datetime
    expires_at: datetime


class NewInvitationOut(InvitationOut):
    """`link` is shown this once."""

    link: str


class InvitationsOut(Schema):
    invitations: list[InvitationOut]


class ExportOut(Schema):
    """`state` is waiting, ready or failed; a ready one is kept for a day. `size` is bytes."""

    code: UUID
    state: str
    size: int
    created_at: datetime


@router.get("/projects/{slug:slug}/settings", response=replies(200, SettingsOut))
def get_settings(request: HttpRequest, slug: str) -> dict[str, Any]:
    return _settings(access.find_project(actor_of(request), slug))


@router.post("/projects/{slug:slug}/settings", response=replies(200, SettingsOut))
def change_settings(request: HttpRequest, slug: str, body: SettingsBody) -> dict[str, Any]:
    actor = actor_of(request)
    project = access.find_project(actor, slug, MANAGE)
    given = body.model_fields_set
    if "retention_days" in given:
        access.require(actor, project, OWN)
        expiry.set_retention(actor, project, body.retention_days)
    if body.name is not None:
        projects.rename_project(project, body.name)
    if given & {"allowed_providers", "local_only"}:
        providers = project.allowed_providers if body.allowed_providers is None else body.allowed_providers
        local = project.local_only if body.local_only is None else body.local_only
        projects.restrict_project(project, providers, local)
    if body.separate_approver is not None:
        set_separate_approver(project, body.separate_approver)
    project.refresh_from_db()
    return _settings(project)


@router.get("/projects/{slug:slug}/invitations", response=replies(200, InvitationsOut))
def list_invitations(request: HttpRequest, slug: str) -> dict[str, Any]:
    """The newest first."""
    project = access.find_project(actor_of(request), slug, MANAGE)
    return {"invitations": [_invitation(row) for row in project.invitations.all()[:INVITATIONS_LISTED]]}


@router.post("/projects/{slug:slug}/invitations", response=replies(201, NewInvitationOut))
def create_invitation(request: HttpRequest, slug: str, body: InvitationBody) -> Status[Any]:
    """A link that lets one person in, once; with `email` it is also mailed when the server can send mail."""
    actor = actor_of(request)
    project = access.find_project(actor, slug, MANAGE)
    row, token = invitations.invite(actor, project, body.role, body.email, body.days)
    return Status(201, {**_invitation(row), "link": request.build_absolute_uri(reverse("join", args=[token]))})


@router.delete("/projects/{slug:slug}/invitations/{uuid:code}", response=replies(204, None))
def revoke_invitation(request: HttpRequest, slug: str, code: UUID) -> Status[Any]:
    project = access.find_project(actor_of(request), slug, MANAGE)
    row = project.invitations.filter(code=code).first()
    if row is None:
        raise Http404
    invitations.revoke_invitation(row)
    return Status(204, None)


@router.post("/projects/{slug:slug}/exports", response=replies(201, ExportOut))
def create_export(request: HttpRequest, slug: str) -> Status[Any]:
    """A zip of everything in the project, made in the background."""
    actor = actor_of(request)
    project = access.find_project(actor, slug, MANAGE)
    return Status(201, project_export.ask_for_export(actor, project))


@router.get("/projects/{slug:slug}/exports/{uuid:code}", response=replies(200, ExportOut))
def get_export(request: HttpRequest, slug: str, code: UUID) -> ProjectExport:
    return _export(request, slug, code)


ZIP = {200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}}


@router.get(
    "/projects/{slug:slug}/exports/{uuid:code}/file", response=replies(200, None), openapi_extra={"responses": ZIP}
)
def get_export_file(request: HttpRequest, slug: str, code: UUID) -> HttpResponseBase:
    """404 until it is ready."""
    row = _export(request, slug, code)
    if row.state != ProjectExport.State.READY:
        raise Http404
    return StreamingHttpResponse(project_export.pieces(row), content_type="application/zip")


def _export(request: HttpRequest, slug: str, code: UUID) -> ProjectExport:
    project = access.find_project(actor_of(request), slug, MANAGE)
    row = project.exports.filter(code=code).first()
    if row is None:
        raise Http404
    return row


def _settings(project: Project) -> dict[str, Any]:
    return {name: getattr(project, name) for name in SettingsOut.model_fields}


def _invitation(row: Invitation) -> dict[str, Any]:
    fields = ("code", "role", "email", "created_at", "expires_at")
    return {name: getattr(row, name) for name in fields} | {"state": invitations.state_of(row, timezone.now())}
